"""Random numbers that belong to a thing, not to an order of calls.

Noise is a pure function of its key, ``(seed, home, level, segment, …)``, so a trace does not depend on the
batch size, the order, the shard or the worker that made it. Philox is counter based: a key is all its state.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Key = int | str


def generator(*key: Key) -> np.random.Generator:
    """Generator of the stream that ``key`` names; equal keys give equal streams on every machine."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in key)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest, dtype="<u8").copy()))


def normal(shape: tuple[int, ...], *key: Key) -> NDArray[np.float32]:
    """Standard normal numbers of ``shape`` from the stream of ``key``."""
    return generator(*key).standard_normal(shape, dtype=np.float32)
