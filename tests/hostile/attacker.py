"""Attackers as a process: ``python -m hostile.attacker`` with its plans as JSON on standard input.

It says READY on standard output when all that takes long to make is made, and then begins. It stops by itself when its
time is over, attacks loopback addresses only, and writes its tallies as JSON at the end.
The plans travel on standard input because they hold keys.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop
from hostile.attacks import ATTACKS, Front, Goal, Who, keep_on
from hostile.client import Tally

from cocket.network.enode import parse_enode

SECONDS_MAX = 300.0
READY = "ready"


@dataclass(frozen=True, slots=True)
class Plan:
    """One kind of attack on some nodes with some keys, for so long, or until its goal is reached at each node.

    ``crowd`` is how many connections at once a stranger has; a known key has one session with a node. Each key tries
    one of the ways there are of its kind, from ``first_variant`` on.
    """

    kind: str
    seconds: float
    targets: tuple[str, ...]
    keys: tuple[str, ...]
    chain_id: int
    crowd: int
    first_variant: int = 0
    goal_shed: str = ""
    goal_messages: int = 0


async def attack(plan: Plan) -> Tally:
    """Carry out a plan; every key attacks every target."""
    kind = ATTACKS[plan.kind]
    until_s = asyncio.get_running_loop().time() + min(plan.seconds, SECONDS_MAX)
    targets = [parse_enode(target) for target in plan.targets]
    assert all(target.host == "127.0.0.1" for target in targets), "this is for trials on loopback only"
    goal = Goal(plan.goal_shed, plan.goal_messages)
    crowd = plan.crowd if kind.who is Who.STRANGER else 1
    stands = [
        (target, bytes.fromhex(key), plan.first_variant + number)
        for target in targets
        for number, key in enumerate(plan.keys)
        for _ in range(crowd)
    ]
    fronts = [
        Front(target, key, Tally(), until_s, kind.who, plan.chain_id, goal, variant, lane)
        for lane, (target, key, variant) in enumerate(stands)
    ]
    await asyncio.gather(*[keep_on(kind.attack, front) for front in fronts])
    tallies = [front.tally for front in fronts]
    return Tally(
        sum(tally.connections for tally in tallies),
        sum(tally.sessions for tally in tallies),
        sum(tally.messages for tally in tallies),
        sum([tally.sheds for tally in tallies], Counter()),
    )


async def attack_all(plans: Sequence[Plan]) -> list[Tally]:
    """Carry out all plans at once."""
    return await asyncio.gather(*[attack(plan) for plan in plans])


def main() -> int:
    plans = [Plan(**plan) for plan in json.load(sys.stdin)]
    for plan in plans:
        for number in range(len(plan.keys)):
            ATTACKS[plan.kind].prepare(plan.first_variant + number)
    print(READY, flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tallies = runner.run(attack_all(plans))
    print(json.dumps([{name: getattr(tally, name) for name in Tally.__slots__} for tally in tallies]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
