"""Home Assistant's own Wyoming integration, added by host and port, against a service that runs.

usage: home-assistant.py BASE_URL WYOMING_PORT WAV_ON WAV_OTHER WAV_WAKE      for one that was never set up
WAV_ON says "turn on the workshop lights", WAV_OTHER is no command, WAV_WAKE is the wake phrase, "give me the status report".
One line each, status 1 when one fails.
Needs aiohttp, which Home Assistant brings.
"""

import asyncio
import json
import sys

import aiohttp

BASE, PORT, WAV_ON, WAV_OTHER, WAV_WAKE = sys.argv[1:]
LAMP = "input_boolean.workshop"
FORMAT = (
    "format=wav; codec=pcm; sample_rate=16000; bit_rate=16; channel=1; language=en"
)
LIMIT_S = 300
failed = 0


def check(name, right, got=""):
    global failed
    failed += not right
    print(f"{'ok' if right else 'NOT OK'}: {name}" + ("" if right else f": {got}"), flush=True)


class Home:
    def __init__(self, http, token):
        self.http = http
        self.headers = {"Authorization": f"Bearer {token}"}

    @staticmethod
    async def open(http):
        user = {
            "client_id": f"{BASE}/",
            "name": "test",
            "username": "test",
            "password": "test",
            "language": "en",
        }
        async with http.post(f"{BASE}/api/onboarding/users", json=user) as answer:
            code = (await answer.json())["auth_code"]
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": f"{BASE}/",
        }
        async with http.post(f"{BASE}/auth/token", data=grant) as answer:
            return Home(http, (await answer.json())["access_token"])

    async def call(self, method, path, **more):
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.http.request(
            method, f"{BASE}/api/{path}", headers=headers, **more
        ) as answer:
            text = await answer.text()
            try:
                return json.loads(text)
            except ValueError:
                return text

    async def state(self, entity):
        got = await self.call("GET", f"states/{entity}")
        return got.get("state") if isinstance(got, dict) else got

    async def hear(self, path):
        with open(path, "rb") as file:
            headers = {"X-Speech-Content": FORMAT}
            return await self.call("POST", "stt/stt.kikitori", headers=headers, data=file.read())


async def command(socket, number, **message):
    await socket.send_json({"id": number, **message})
    while True:
        got = await socket.receive_json()
        if got.get("id") == number and got["type"] == "result":
            if not got["success"]:
                raise RuntimeError(f"{message['type']}: {got['error']}")
            return got["result"]


def audio_of(path):
    with open(path, "rb") as file:
        return file.read()[44:]


async def pipeline(home, *paths):
    """Wake phrase and speech in, intent carried out: each stage is the service's."""
    audio = b"".join(audio_of(path) for path in paths)
    wakes = len(paths) > 1
    async with home.http.ws_connect(f"{BASE}/api/websocket") as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": home.headers["Authorization"][7:]})
        await socket.receive_json()
        made = await command(
            socket,
            1,
            type="assist_pipeline/pipeline/create",
            name=f"kikitori {len(paths)}",
            language="en",
            conversation_engine="conversation.kikitori",
            conversation_language="en",
            stt_engine="stt.kikitori",
            stt_language="en",
            tts_engine=None,
            tts_language=None,
            tts_voice=None,
            wake_word_entity="wake_word.kikitori",
            wake_word_id="give_me_the_status_report",
        )
        await socket.send_json(
            {
                "id": 2,
                "type": "assist_pipeline/run",
                "pipeline": made["id"],
                "start_stage": "wake_word" if wakes else "stt",
                "end_stage": "intent",
                "input": {"sample_rate": 16000},
                "timeout": LIMIT_S,
            }
        )
        events = {}
        async for raw in socket:
            message = json.loads(raw.data)
            event = message.get("event")
            if not event:
                if message["type"] == "result" and not message["success"]:
                    raise RuntimeError(message["error"])
                continue
            events[event["type"]] = event.get("data") or {}
            if event["type"] == "run-start":
                handler = bytes([event["data"]["runner_data"]["stt_binary_handler_id"]])
                audio += bytes(64000)
                for at in range(0, len(audio), 3200):
                    await socket.send_bytes(handler + audio[at : at + 3200])
                    await asyncio.sleep(0.02)
                await socket.send_bytes(handler)
            if event["type"] in ("run-end", "error"):
                return events


async def main():
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        home = await Home.open(http)
        await home.call("POST", "onboarding/core_config", json={})
        flow = await home.call("POST", "config/config_entries/flow", json={"handler": "wyoming"})
        where = {"host": "127.0.0.1", "port": int(PORT)}
        made = await home.call("POST", f"config/config_entries/flow/{flow['flow_id']}", json=where)
        check("the integration is added by host and port", made.get("type") == "create_entry", made)
        check("under its name", made.get("title") == "kikitori", made.get("title"))
        for entity in ("stt.kikitori", "conversation.kikitori", "wake_word.kikitori"):
            state = await home.state(entity)
            check(f"{entity} is there", state == "unknown", state)
        about = await home.call("GET", "stt/stt.kikitori")
        check("it hears English", about.get("languages") == ["en"], about)

        got = await home.hear(WAV_ON)
        wanted = {"text": "turn on the workshop lights", "result": "success"}
        check("a spoken order, header and all, gives its text", got == wanted, got)
        got = await home.hear(WAV_OTHER)
        check("what is no command gives none", got == {"text": "", "result": "success"}, got)

        ask = {"text": "turn on the workshop lights", "agent_id": "conversation.kikitori"}
        check("the lamp is off", await home.state(LAMP) == "off")
        got = await home.call("POST", "conversation/process", json={**ask, "language": "en"})
        spoken = got["response"]["speech"].get("plain", {}).get("speech")
        check("a typed sentence is carried out", await home.state(LAMP) == "on", got)
        check("and answered in words", spoken == "workshop on", got)
        got = await home.call("POST", "conversation/process", json={**ask, "text": "dance"})
        code = got["response"]["data"].get("code")
        check("one that is none is not", code == "no_intent_match", got)

        await home.call("POST", "services/input_boolean/turn_off", json={"entity_id": LAMP})
        check("the lamp is off again", await home.state(LAMP) == "off")
        events = await pipeline(home, WAV_ON)
        text = events.get("stt-end", {}).get("stt_output", {}).get("text")
        check("a pipeline hears it", text == wanted["text"], events)
        check("and carries it out", await home.state(LAMP) == "on", events)
        await home.call("POST", "services/input_boolean/turn_off", json={"entity_id": LAMP})
        events = await pipeline(home, WAV_WAKE, WAV_ON)
        woken = events.get("wake_word-end", {}).get("wake_word_output", {})
        check("a pipeline is woken", woken.get("wake_word_id") == "give_me_the_status_report", events)
        text = events.get("stt-end", {}).get("stt_output", {}).get("text")
        check("hears what follows", text == wanted["text"], events)
        check("and carries it out too", await home.state(LAMP) == "on", events)
    print(f"{failed} failed", flush=True)
    sys.exit(1 if failed else 0)


asyncio.run(main())
