"""A site's recipe: what is spoken, how packs are mixed, what a second run keeps and refuses."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kikitori_trainer.config import read_config
from kikitori_trainer.corpora import clips_tsv
from kikitori_trainer.lexicon import REPOSITORY
from kikitori_trainer.pack import build, mix, open_pack
from kikitori_trainer.site import Minutes, Site, Speech, Stages, read_site, recordings, same_inputs, site, speakable
from kikitori_trainer.synthesize import Own, plan, synthesize, vocabulary_of_packages, voices

from .made import RATE, write_clips


def test_spelled_words_are_read_as_letters_and_the_sites_own_words_are_left_out() -> None:
    said = {"plc": "spelled", "reset": "dictionary", "zorblax": "user", "blort": "g2p"}
    samples = ["reset plc", "reset zorblax", "reset blort", "reset plc"]
    assert speakable(samples, said) == ["reset blort", "reset p l c"]


@pytest.mark.skipif(not voices(), reason="no synthesiser is installed")
def test_the_share_of_the_sites_sentences_and_the_time_limit(tmp_path: Path) -> None:
    orders = plan(400, vocabulary_of_packages(), 1, Own(["stop the press"], 0.6, "site"))
    ours = [o for o in orders if o.set == "site"]
    assert 200 < len(ours) < 280 and all(o.text == "stop the press" for o in ours)
    assert all(o.set == "synthetic" for o in orders if o.text != "stop the press")
    synthesize(tmp_path, 50, 1, minutes=0)
    assert list(clips_tsv(tmp_path)) == []


def made_pack(folder: Path, count: int) -> Path:
    write_clips(folder / "data", count)
    build(folder / "pack", list(clips_tsv(folder / "data")), [], 2, 1, seed=1)
    return folder / "pack"


def test_mixed_packs_keep_every_sample_and_half_of_the_noise_is_the_sites(tmp_path: Path) -> None:
    a, b = open_pack(made_pack(tmp_path / "a", 5)), open_pack(made_pack(tmp_path / "b", 4))
    a = replace(a, noises=[*a.noises, *a.noises, *a.noises])
    mix(tmp_path / "mixed", [(a, a.clips), (b, b.clips[1:3])], recorded=1)
    mixed = open_pack(tmp_path / "mixed")
    assert [c.text for c in mixed.clips] == [c.text for c in [*a.clips, *b.clips[1:3]]]
    for pack, wanted, found in ((a, a.clips[4], mixed.clips[4]), (b, b.clips[2], mixed.clips[6])):
        assert np.array_equal(pack.samples(wanted.begin, wanted.samples), mixed.samples(found.begin, found.samples))
    site_noise = mixed.noises[0]
    assert len(mixed.noises) == 10 and mixed.noises.count(site_noise) == 5
    assert np.array_equal(mixed.samples(*site_noise), a.samples(*a.noises[0]))
    assert np.array_equal(mixed.samples(*mixed.rooms[0]), a.samples(*a.rooms[0]))


def spoken(out: Path, count: int) -> None:
    """What the stage before leaves: clips, every second one the site's."""
    write_clips(out / "speech", count, prefix="")
    table = out / "speech" / "clips.tsv"
    head, *rows = table.read_text().splitlines()
    sets = [r.replace("\tmade\tmade\t", f"\tmade\t{'site' if n % 2 else 'synthetic'}\t") for n, r in enumerate(rows)]
    table.write_text("\n".join([head, *sets]) + "\n")


def test_packing_holds_clips_back_and_mixes_the_general_pack_in(tmp_path: Path) -> None:
    general = tmp_path / "general"
    made_pack(tmp_path / "other", 6).rename(tmp_path / "train")
    general.mkdir()
    (tmp_path / "train").rename(general / "train")
    noise = tmp_path / "noise"
    noise.mkdir()
    soundfile.write(noise / "press.WAV", 0.1 * np.ones(RATE, np.float32), RATE, format="WAV")
    out = tmp_path / "site"
    spoken(out, 12)
    config = Site(str(out), general=str(general), generalClips=3, speech=Speech(heldOutEach=3, syntheticNoises=4))
    Stages(out, config, tmp_path / "g.yaml", noise, lambda _path, _count: 1).pack()
    train, held = open_pack(out / "pack" / "train"), open_pack(out / "pack" / "held-out")
    assert len(held.clips) == 2 and len(train.clips) == 10 + 3
    assert len(train.noises) == 4 + 4
    rows = (out / "held-out.tsv").read_text().splitlines()
    assert len(rows) == 3 and Path(rows[1].split("\t")[0]).exists()


def test_another_grammar_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    grammar = tmp_path / "g.yaml"
    grammar.write_text("one")
    config = Site(str(tmp_path / "out"))
    same_inputs(tmp_path / "out", config, grammar, None)
    same_inputs(tmp_path / "out", replace(config, minutes=Minutes(compress=30)), grammar, None)
    grammar.write_text("two")
    with pytest.raises(SystemExit, match="belongs to another grammar"):
        same_inputs(tmp_path / "out", config, grammar, None)
    with pytest.raises(SystemExit, match="missing.yaml: no such file"):
        site(config, tmp_path / "missing.yaml", None, lambda _path, _count: 0)
    assert recordings(None) == []


def files_of(folder: Path, *names: str) -> dict[str, Path]:
    """Files that only have to be there."""
    for name in names:
        (folder / name).write_text("x")
    return {name: folder / name for name in names}


def stages_done(out: Path, *names: str) -> None:
    (out / "done").mkdir(parents=True)
    for name in names:
        (out / "done" / name).write_text("{}")


def test_stages_that_are_done_are_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    files = files_of(tmp_path, "g.yaml", "dense", "card", "clip")
    config = Site(str(out), *(str(files[n]) for n in ("dense", "card", "clip")), floorDb=15)
    stages_done(out, "speech", "pack", "compress", "recover", "finish")
    asked: list[Path] = []
    told: list[list[str]] = []
    monkeypatch.setattr(Stages, "kikitori", lambda _self, _minutes, *words: told.append(list(words)) or "")

    def fails(path: Path, _count: int) -> int:
        asked.append(path)
        return 1

    with pytest.raises(SystemExit, match="adapt.json failed"):
        site(config, files["g.yaml"], None, fails)
    assert not (out / "done" / "adapt").exists()
    written = read_config(asked[0])
    raised = str(out / "dense.safetensors")
    assert told == [["model", "floor", str(files["dense"]), "--raise-db", "15", "--out", raised]]
    assert written.start == raised and written.training.minutes == config.minutes.adapt

    def succeeds(path: Path, _count: int) -> int:
        asked.append(path)
        return 0

    site(config, files["g.yaml"], None, succeeds)
    site(config, files["g.yaml"], None, fails)
    trained, kept = out / "adapt" / "model.safetensors", out / "adapted.safetensors"
    assert told[2:] == [["model", "blend", raised, str(trained), "--share", "0.5", "--out", str(kept)]]
    assert len(asked) == 2 and "adapt: done before" in capsys.readouterr().out
    assert json.loads((out / "done" / "adapt").read_text())["seconds"] >= 0


def test_the_configuration_that_ships_takes_less_than_an_hour() -> None:
    minutes = read_site(REPOSITORY / "trainer" / "configs" / "site.toml").minutes
    assert sum(vars(minutes).values()) < 60


def test_a_compressed_network_is_fine_tuned_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    files = files_of(tmp_path, "g.yaml", "card", "clip", "small")
    small = str(files["small"])
    config = Site(str(out), "no such file", str(files["card"]), str(files["clip"]), compressed=small)
    stages_done(out, "speech", "pack", "finish")
    asked: list[Path] = []
    told: list[list[str]] = []
    monkeypatch.setattr(Stages, "kikitori", lambda _self, _minutes, *words: told.append(list(words)) or "")

    def succeeds(path: Path, _count: int) -> int:
        asked.append(path)
        return 0

    site(config, files["g.yaml"], None, succeeds)
    assert [read_config(path).start for path in asked] == [small]
    trained, kept = str(out / "recover" / "model.safetensors"), str(out / "recovered.safetensors")
    assert told == [["model", "blend", small, trained, "--share", "0.5", "--out", kept]]
    with pytest.raises(SystemExit, match="gone: no such file"):
        site(Site(str(out), compressed=str(tmp_path / "gone")), files["g.yaml"], None, succeeds)
