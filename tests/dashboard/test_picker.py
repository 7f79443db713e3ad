"""What is typed where a security is asked for."""

from __future__ import annotations

import pytest

from dashboard.picker import meant

NAMES = {
    "600519.SH": "贵州茅台",
    "601318.SH": "中国平安",
    "000001.SZ": "平安银行",
    "00700.HK": "腾讯控股",
    "BABA.US": "阿里巴巴",
    "09988.HK": "阿里巴巴-W",
    "000002.SZ": "万 科Ａ",
    "430047.BJ": "诺思兰德",
}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("600519.SH", ["600519.SH"]),
        ("600519", ["600519.SH"]),
        ("sh600519", ["600519.SH"]),
        (" 700 ", ["00700.HK"]),
        ("baba", ["BABA.US"]),
        ("贵州茅台", ["600519.SH"]),
        ("茅台", ["600519.SH"]),
        ("平安", ["601318.SH", "000001.SZ"]),
        ("阿里巴巴", ["BABA.US"]),  # the whole name of one, though another's holds it
        ("万科A", ["000002.SZ"]),
        ("6013", ["601318.SH"]),
        ("没有这家公司", []),
        ("", []),
        ("  \u200b ", []),
        ("<b>*茅台*</b>", []),
        ("茅" * 10_000, []),
    ],
)
def test_a_name_or_a_code_or_a_part_of_either_means_a_security(text: str, codes: list[str]) -> None:
    assert meant(text, NAMES) == codes
