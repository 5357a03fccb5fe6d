"""`werkpuls certs`: a site's own certificates, so that nodes and gateway know each other without any cloud."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from werkpuls.certificates import PAGE, PAGE_AUTHORITY, Authority, CertificateError, Files, NameRefused
from werkpuls.words import Words

EXAMPLE = "werkpuls certs --folder tls --broker gateway.local --broker 192.168.1.10 --page gateway.local --node oven-pi"
GATEWAY = "gateway"
FOUND_PROBLEM = 1
BAD_USE = 2


def add_arguments(parser: argparse.ArgumentParser, words: Words) -> None:
    """Declares the options."""
    parser.add_argument(
        "--folder", type=Path, required=True, metavar=words.say("value.dir"), help=words.say("certs.folder")
    )
    parser.add_argument(
        "--broker", action="append", default=[], metavar=words.say("value.host"), help=words.say("certs.broker")
    )
    parser.add_argument(
        "--page", action="append", default=[], metavar=words.say("value.host"), help=words.say("certs.page")
    )
    parser.add_argument(
        "--node", action="append", default=[], metavar=words.say("value.name"), help=words.say("certs.node")
    )
    parser.add_argument("--days", type=int, default=3650, metavar="N", help=words.say("certs.days"))
    parser.add_argument("--json", action="store_true", help=words.say("parser.json"))


def run(args: argparse.Namespace, words: Words) -> int:
    """Makes what is asked for and never overwrites; 0 done, 1 something is in the way, 2 wrong use."""
    if not args.broker and not args.page and not args.node:
        sys.stderr.write(f"werkpuls certs: {words.say('certs.nothing')}\n")
        return BAD_USE
    if not 1 <= args.days <= 36_500:
        sys.stderr.write(f"werkpuls certs: {words.say('certs.bad_days', days=args.days)}\n")
        return BAD_USE
    try:
        made = _make(args)
    except (CertificateError, OSError) as exc:
        sys.stderr.write(f"werkpuls certs: {words.told(exc)}\n")
        return BAD_USE if isinstance(exc, NameRefused) else FOUND_PROBLEM
    if args.json:
        shown = [{"certificate": str(files.certificate), "key": str(files.key)} for files in made]
        sys.stdout.write(msgspec.json.encode({"made": shown}).decode() + "\n")
    else:
        for files in made:
            sys.stdout.write(f"{files.certificate}  {files.key}\n")
    return 0


def _make(args: argparse.Namespace) -> list[Files]:
    made: list[Files] = []
    if args.broker or args.node:
        authority, new = Authority.open_or_create(args.folder, days=args.days)
        made += [authority.files] if new else []
        if args.broker:
            made.append(authority.issue_server(args.broker, days=args.days))
            if not (args.folder / f"{GATEWAY}.crt").exists():  # else it is the broker's alone that is renewed
                made.append(authority.issue_client(GATEWAY, days=args.days))
        made += [authority.issue_client(node, days=args.days) for node in args.node]
    if args.page:
        authority, new = Authority.open_or_create(args.folder, PAGE_AUTHORITY, name="Werkpuls page", days=args.days)
        made += [authority.files] if new else []
        made.append(authority.issue_server(args.page, name=PAGE, days=args.days))
    return made
