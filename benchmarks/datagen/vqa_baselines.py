"""How far one gets on "vqa" and "easyvqa" unseen: by the commonest answer, by the question.

    python benchmarks/datagen/vqa_baselines.py [vqa|easyvqa]

"question only" learns the commonest answer to every question on half of the items and is asked
about the other half.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict

import numpy as np

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.split import draw
from teachenv.seeding import derive

N_ITEMS = 4000


def main(domain_id: str) -> None:
    domain = make_domain(domain_id)
    print("| skill | level | chance | commonest answer | question only |")
    print("|---|---|---|---|---|")
    for skill, level in np.ndindex(*domain.kinds.shape):
        items = draw(domain, skill, level, N_ITEMS, "train", derive(0, "items", skill, level))
        answers = items.truth.tolist()
        counts = Counter(answers)
        table: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        questions = [tuple(tokens) for tokens in items.inputs["tokens"].tolist()]
        half = N_ITEMS // 2
        for question, answer in zip(questions[:half], answers[:half], strict=True):
            table[question][answer] += 1
        told = [table[q].most_common(1)[0][0] if q in table else -1 for q in questions[half:]]
        right = np.mean(np.equal(told, answers[half:]))
        commonest = counts.most_common(1)[0][1] / N_ITEMS
        print(
            f"| {domain.skills[skill]} | {level} | {1 / len(counts):.2f} | {commonest:.2f} | "
            f"{right:.2f} |"
        )


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["vqa"]))
