"""The protocol's own client against a Wyoming service: what it says of itself, then what each WAV file gives.

usage: client.py HOST PORT MODE FILE...     one JSON line each
MODE  order   the audio in chunks, then audio-stop
      file    the file as it is, header and all, as Home Assistant sends one
      open    the audio, then silence in real time, and no audio-stop: the service is to find the end
      wake    the audio, to find the wake phrase in
Needs wyoming from PyPI.
"""

import asyncio
import json
import sys
import wave

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize
from wyoming.wake import Detect, Detection, NotDetected

LIMIT_S = 120


async def wait_for(client, *kinds):
    """The next event of one of these kinds; what is of another is passed over."""
    async with asyncio.timeout(LIMIT_S):
        while (event := await client.read_event()) is not None:
            for kind in kinds:
                if kind.is_type(event.type):
                    return kind.from_event(event)
            if event.type == "error":
                raise RuntimeError(f"the service says {event.data}")
    raise RuntimeError("the connection was closed")


async def describe(host, port):
    async with AsyncTcpClient(host, port) as client:
        await client.write_event(Describe().event())
        return await wait_for(client, Info)


def audio_of(path, mode):
    if mode == "file":
        with open(path, "rb") as file:
            return file.read(), (16000, 2, 1)
    with wave.open(path) as file:
        form = (file.getframerate(), file.getsampwidth(), file.getnchannels())
        return file.readframes(file.getnframes()), form


async def transcribe(host, port, path, mode):
    audio, (rate, width, channels) = audio_of(path, mode)
    size = 1024 * width * channels

    def chunk(part):
        return AudioChunk(rate=rate, width=width, channels=channels, audio=part).event()

    async with AsyncTcpClient(host, port) as client:
        await client.write_event(Transcribe(language="en").event())
        await client.write_event(AudioStart(rate=rate, width=width, channels=channels).event())
        for at in range(0, len(audio), size):
            await client.write_event(chunk(audio[at : at + size]))
        if mode != "open":
            await client.write_event(AudioStop().event())
            return (await wait_for(client, Transcript)).text
        answer = asyncio.create_task(wait_for(client, Transcript))
        while not answer.done():
            await client.write_event(chunk(bytes(size)))
            await asyncio.wait([answer], timeout=1024 / rate)
        return answer.result().text


async def detect(host, port, path):
    audio, (rate, width, channels) = audio_of(path, "order")
    # A satellite streams on: the phrase counts once nothing better has come.
    audio += bytes(rate * width * channels)
    size = 1024 * width * channels
    async with AsyncTcpClient(host, port) as client:
        await client.write_event(Detect().event())
        await client.write_event(AudioStart(rate=rate, width=width, channels=channels).event())
        for at in range(0, len(audio), size):
            part = audio[at : at + size]
            chunk = AudioChunk(rate=rate, width=width, channels=channels, audio=part)
            await client.write_event(chunk.event())
        await client.write_event(AudioStop().event())
        answer = await wait_for(client, Detection, NotDetected)
    return answer.name if isinstance(answer, Detection) else None


async def recognize(host, port, text):
    async with AsyncTcpClient(host, port) as client:
        await client.write_event(Recognize(text=text).event())
        return await wait_for(client, Intent, NotRecognized)


async def main():
    host, port, mode, *files = sys.argv[1:]
    info = await describe(host, int(port))
    print(json.dumps({"info": info.event().data}), flush=True)
    for path in files:
        if mode == "wake":
            name = await detect(host, int(port), path)
            print(json.dumps({"file": path, "detected": name}), flush=True)
            continue
        text = await transcribe(host, int(port), path, mode)
        line = {"file": path, "text": text}
        if text:
            meaning = await recognize(host, int(port), text)
            if isinstance(meaning, Intent):
                line["intent"] = meaning.name
                line["slots"] = {e.name: e.value for e in meaning.entities}
        print(json.dumps(line), flush=True)


asyncio.run(main())
