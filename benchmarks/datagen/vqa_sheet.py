"""Draw a page of questions about pictures: one row per object count, one column per skill.

python benchmarks/datagen/vqa_sheet.py scenes.png
"""

from __future__ import annotations

import argparse
import textwrap

from teachenv.envs.datagen.domains.vqa import Vqa
from teachenv.envs.datagen.domains.vqa_render import sheet
from teachenv.envs.datagen.domains.vqa_scene import SKILLS
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import draw
from teachenv.seeding import derive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="PNG to write")
    parser.add_argument("--occlusion", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    vqa = Vqa(occlusion=told.occlusion)
    rng = derive(told.seed, "sheet")
    cells = [(skill, level) for level in range(vqa.n_levels) for skill in range(len(SKILLS))]
    items = Items.concat([draw(vqa, *cell, 1, "train", rng) for cell in cells])
    captions = []
    for index in range(len(items)):
        text = vqa.text(items, index)
        asked = text["question"].partition(". ")[2]
        captions.append("\n".join(textwrap.wrap(f"{asked} {text['answer']}", 28)))
    sheet(items.inputs["image"], captions, columns=len(SKILLS)).save(told.path)


if __name__ == "__main__":
    main()
