"""The sum over any phones against one over all paths; rows are probabilities; what training with it does."""

import itertools
import json
import math
import subprocess
from pathlib import Path

import pytest
import torch

from kikitori_trainer.chain import any_phones, lead, phone_chain, search_offset
from kikitori_trainer.config import read_config
from kikitori_trainer.ctc import ctc
from kikitori_trainer.evaluate import inputs_of, log_probs
from kikitori_trainer.fit import Run
from kikitori_trainer.lexicon import REPOSITORY, UNITS
from kikitori_trainer.pack import Packed
from kikitori_trainer.prepare import prepare

from .made import config_file, write_clips
from .test_ctc import collapse


def clip(*words: list[int]) -> Packed:
    return Packed(0, 1, "", "", "", [[w] for w in words])


def weight(chain: torch.Tensor, phones: list[int]) -> float:
    return math.prod(float(chain[a, b]) for a, b in zip([0, *phones], phones, strict=False))


def test_rows_are_probabilities_and_blank_is_no_phone() -> None:
    chain = phone_chain([clip([1, 2], [2, 1, 3]), clip([3])], 4)
    assert torch.allclose(chain.sum(1), torch.ones(4)) and bool((chain[:, 0] == 0).all())
    assert chain[1, 2] > chain[1, 1]


def test_the_chain_is_the_device_s() -> None:
    words = [[1, 2], [2, 1, 3], [3, 3]]
    module = (REPOSITORY / "dist/src/measure/calibrate/phone-chain.js").as_uri()
    script = f"import {{ phoneChain }} from '{module}'; console.log(JSON.stringify(phoneChain({words}, 4)))"
    command = ["node", "--input-type=module", "-e", script]
    device = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    chain = phone_chain([clip(*words)], 4)[:, 1:]
    assert torch.allclose(chain, torch.tensor([device["first"], *device["next"]]).exp(), atol=0.01)


def test_sum_over_all_paths() -> None:
    torch.manual_seed(0)
    chain = phone_chain([clip([1, 2], [2, 1, 1])], 3)
    log_probs = torch.randn(5, 2, 3).log_softmax(2)
    sums = any_phones(log_probs, torch.tensor([5, 3]), chain)
    for b, steps in ((0, 5), (1, 3)):
        total = 0.0
        for path in itertools.product(range(3), repeat=steps):
            heard = math.exp(sum(float(log_probs[t, b, u]) for t, u in enumerate(path)))
            total += heard * weight(chain, collapse(path))
        assert abs(float(sums[b]) - math.log(total)) < 1e-4


def test_one_string_is_never_likelier_than_all() -> None:
    torch.manual_seed(1)
    chain = phone_chain([clip([1, 2], [2, 1, 3, 3])], 4)
    log_probs = torch.randn(20, 1, 4).log_softmax(2)
    steps = torch.tensor([20])
    for target in ([1, 2, 1, 3, 3], [2], [3, 1, 2]):
        one = -float(ctc(log_probs, steps, [target])) + math.log(weight(chain, target))
        assert one < float(any_phones(log_probs, steps, chain))


def test_training_with_it_puts_what_was_said_further_ahead(tmp_path: Path) -> None:
    write_clips(tmp_path / "data", 16)
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"decoding": {"priorWeight": 0.5, "logPrior": [-1.0] * len(UNITS), "blankBias": 0}}))
    leads = []
    for name, extra in (("ctc", ""), ("ahead", f'[discrimination]\nweight = 0.8\ncard = "{card}"\n')):
        config = read_config(config_file(tmp_path, name, 60, extra))
        prepare(config)
        run = Run(config, 0, 1)
        run.out.mkdir(exist_ok=True)
        run.train()
        rows = [inputs_of(run.pack, c, run.checkpoint) for c in run.pack.clips]
        scores, steps = log_probs(run.network, run.checkpoint, rows)
        targets = [run.pronouncing.phones(n, [0] * len(c.words)) for n, c in enumerate(run.pack.clips)]
        offset, chain = search_offset(str(card), len(UNITS)), phone_chain(run.pack.clips, len(UNITS))
        leads.append(float(lead((scores + offset).log_softmax(2), steps, targets, chain).mean()))
    assert leads[1] > leads[0]


def test_a_prior_of_other_units_is_refused(tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"decoding": {"priorWeight": 0.5, "logPrior": [-1.0, -1.0], "blankBias": 0.5}}))
    assert torch.allclose(search_offset(str(card), 2), torch.tensor([1.0, 0.5]))
    with pytest.raises(SystemExit, match="a prior of 2 units, expected 3"):
        search_offset(str(card), 3)
    card.write_text("{}")
    with pytest.raises(SystemExit, match="no decoding"):
        search_offset(str(card), 2)
