"""Define the arguments of the command ``review`` (commands.py does it), apart, since every command reads them."""

import argparse
from pathlib import Path

ACTIONS = ("serve", "plan", "report", "export", "import", "token", "carry", "items")
FORMATS = ("verdicts", "csv", "label_studio")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``review``, but for --work, which the caller has."""
    command.add_argument("action", nargs="?", choices=ACTIONS, default="serve", help="what to do (default: serve the page)")
    command.add_argument(
        "argument", nargs="?", metavar="FILE|REVIEWER", help="of import and carry: a file; of token: a pseudonym"
    )
    command.add_argument("--folder", type=Path, help="folder of the review (default: review/ in --work)")
    command.add_argument("--output", type=Path, help="of export, carry and items: the file or folder to write")
    command.add_argument("--items", type=int, default=1000, metavar="N", help="of plan: how many items (default: 1000)")
    command.add_argument("--split", choices=("all", "benchmark", "train"), default="all", help="of plan: items of which side")
    command.add_argument("--reviewers", type=int, default=17, metavar="N", help="of plan: how many reviewers (default: 17)")
    command.add_argument("--groups", type=int, default=3, metavar="N", help="of plan: in how many groups (default: 3)")
    command.add_argument("--overlap", type=float, default=0.2, help="of plan: share rated twice, blind (default: 0.2)")
    command.add_argument("--seed", type=int, default=0, help="of plan: seed of choice and dealing")
    command.add_argument("--without-hospital", action="store_true", help="of plan and label_studio: leave hospital cases out")
    command.add_argument("--format", choices=FORMATS, default="verdicts", help="of export (default: verdicts)")
    command.add_argument("--people", nargs="*", default=(), metavar="ID=R01", help="of import: who Label Studio's users are")
    command.add_argument("--host", default="127.0.0.1", help="of serve (default: this machine only)")
    command.add_argument("--port", type=int, default=8400, help="of serve (default: 8400)")
    command.add_argument("--certificate", type=Path, help="of serve: TLS certificate, for a host off this machine")
    command.add_argument("--key", type=Path, help="of serve: its private key")
