"""``make sdk``: build the tracking script, and the page that lists what it collects.

Both are checked in, so that nobody needs Node.js to serve the one or read the other.
"""

import json

from . import node_env
from .console import Failure, run, say
from .layout import ADDONS, LOGS, ROOT, preparing

STATIC = ADDONS / "crm_behavior_analytics/static"
SOURCE = STATIC / "src/sdk/sdk.js"
BUILT = STATIC / "dist/sdk.js"
DIMENSIONS = STATIC / "src/sdk/dimensions.json"
DIMENSIONS_PAGE = ROOT / "docs/dimensions.md"
PAGE_HEAD = """\
# What the tracking script collects · 跟踪脚本收集的数据

{count} dimensions. Nothing is collected before a visitor has agreed; what somebody
types is never collected. The same list for programs: `/behavior/dimensions.json`.
Written by `make sdk` out of `dimensions.json`.

共 {count} 个维度。访客同意之前不收集任何数据；从不收集输入的内容。

| dimension 维度 | type 类型 | collected with 收集时机 | meaning | 含义 | example 示例 |
|---|---|---|---|---|---|
"""
# What WeChat's browser on an old telephone understands.
TARGET = "es2018"
BANNER = "/* Built by `make sdk` from static/src/sdk. LGPL-3. */"


def build(target):
    """Write the script to ``target``."""
    run(
        [
            node_env.prepare() / ".bin/esbuild",
            SOURCE,
            "--bundle",
            "--minify",
            "--format=iife",
            "--charset=utf8",
            f"--target={TARGET}",
            f"--banner:js={BANNER}",
            f"--outfile={target}",
        ],
        log=LOGS / "esbuild.log",
        hint="The tracking script could not be built",
    )


def page_text():
    """The page of the documentation, as the dictionary says."""
    dimensions = json.loads(DIMENSIONS.read_text())
    lines = [
        "| `{name}` | {type} | {collected} | {en} | {zh_CN} | `{shown}` |\n".format(
            **dimension, shown=json.dumps(dimension["example"], ensure_ascii=False)
        )
        for dimension in dimensions
    ]
    return PAGE_HEAD.format(count=len(dimensions)) + "".join(lines)


def main():
    reason = node_env.missing()
    if reason:
        raise Failure(reason)
    with preparing():
        build(BUILT)
    DIMENSIONS_PAGE.write_text(page_text())
    say(f"{BUILT.relative_to(ADDONS)}: {BUILT.stat().st_size} bytes")
