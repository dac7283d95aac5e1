"""Renders templates as Home Assistant does. A line in: {"template", "value", "state"}; a line out: {"text"} or {"error"}."""

import json
import sys

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
for line in sys.stdin:
    asked = json.loads(line)
    variables = {"value": asked["value"], "this": {"state": asked["state"]}}
    try:
        variables["value_json"] = json.loads(asked["value"])
    except ValueError:
        pass
    try:
        template = environment.from_string(asked["template"])
        answer = {"text": template.render(variables).strip()}
    except Exception as error:  # what a template does is the test's to judge
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
