"""The command lines that end the help of each command; a test parses them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "bitfold": (
            "bitfold demo",
            "bitfold train photo.jpg --shape '[64]*4' --kolmogorov-quantise learned",
            "bitfold resume runs/2026-11-22-120000-photo",
            "bitfold compress runs/2026-11-22-120000-photo -o net.bitfold",
        ),
        "demo": ("bitfold demo", "bitfold demo --seed 3 -o ring"),
        "train": (
            "bitfold train ring",
            "bitfold train photo.jpg",
            "bitfold train photo.jpg --minutes 2",
            "bitfold train photo.jpg --shape '[64]*4' --kolmogorov-weight 0.001",
            "bitfold train photo.jpg --kolmogorov-quantise learned --learning-rate 0.003",
            "bitfold train photo.jpg --points all --layout layers --fold-colour layer",
        ),
        "resume": (
            "bitfold resume runs/2026-11-22-120000-photo",
            "bitfold resume runs/2026-11-22-120000-photo --epochs 5000 --learning-rate 0.0003",
        ),
        "sweep": (
            "bitfold sweep ring --vary seed=0:10 --vary kolmogorov_weight=0.001,0.003 -o sweep",
            "bitfold sweep ring --vary shape='[10]*8','[64]*4' --epochs 500 --jobs 4",
            "bitfold sweep ring --plan plan.csv -o sweep",
            "bitfold sweep -o sweep",
            "bitfold sweep --merge part-1 part-2 -o sweep",
        ),
        "compare": (
            "bitfold compare sweep",
            "bitfold compare sweep runs/2026-11-22-120000-photo -o page.html",
        ),
        "replay": (
            "bitfold replay runs/2026-11-22-120000-photo",
            "bitfold replay runs/2026-11-22-120000-photo -o again",
        ),
        "frontier": (
            "bitfold frontier ring --lambdas 0.001:0.1:5 --seeds 0,1",
            "bitfold frontier photo.jpg --shape '[64]*4' --bytes 4000 -o curve",
            "bitfold frontier -o curve --lambdas 0.3",
        ),
        "render": (
            "bitfold render runs/2026-11-22-120000-photo --layout folds --frame-size 2048",
            "bitfold render runs/2026-11-22-120000-photo --zoom 0.1 0.2 1e6",
        ),
        "plot": (
            "bitfold plot runs/2026-11-22-120000-photo --what folds",
            "bitfold plot runs/first runs/second -o losses.svg",
        ),
        "polytopes": (
            "bitfold polytopes runs/2026-11-22-120000-photo -o folds.svg",
            "bitfold polytopes runs/2026-11-22-120000-photo -o surface.obj --output-number 0",
        ),
        "audit": ("bitfold audit runs/2026-11-22-120000-photo",),
        "compress": (
            "bitfold compress runs/2026-11-22-120000-photo -o net.bitfold",
            "bitfold compress runs/2026-11-22-120000-photo -o net.bitfold --bytes 4000",
        ),
        "picture": (
            "bitfold picture logo.png -o logo.bitfold --bytes 300 --minutes 3",
            "bitfold picture photo.jpg -o photo.bitfold --psnr 28 --minutes 10",
        ),
        "info": ("bitfold info net.bitfold",),
        "decompress": ("bitfold decompress net.bitfold -o picture.png --size 1024",),
        "report": ("bitfold report runs/2026-11-22-120000-photo",),
        "studio": (
            "bitfold studio",
            "bitfold studio photo.jpg",
            "bitfold studio runs/2026-11-22-120000-photo --no-browser --port 8000",
        ),
        "export": ("bitfold export runs/2026-11-22-120000-photo -o photo.html",),
        "warm-up": ("bitfold warm-up",),
        "completion": (
            "bitfold completion bash > ~/.local/share/bash-completion/completions/bitfold",
            "bitfold completion zsh > ~/.zfunc/_bitfold",
            "bitfold completion fish > ~/.config/fish/completions/bitfold.fish",
        ),
    }
)
