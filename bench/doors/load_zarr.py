"""Opens Zarr hierarchies with xarray for bench/doors/zarr.ts: a line of JSON for each request, and one for its answer.

{"copy": URL, "to": FOLDER} writes a hierarchy into a folder with zarr-python, chunk by chunk as it is; {"load": PLACE} opens and
loads one, and tells the seconds.
"""

import json
import sys
import time
import warnings

import xarray as xr
import zarr

warnings.filterwarnings("ignore", message="Consolidated metadata")


def copy(url: str, folder: str) -> dict[str, int]:
    """Writes all arrays with their own chunks and attributes, uncompressed, and consolidates them; tells their number."""
    source = zarr.open_group(url, mode="r")
    target = zarr.open_group(folder, mode="w", zarr_format=3)
    target.attrs.update(source.attrs)
    count = 0
    for path, node in source.members(max_depth=None):
        if isinstance(node, zarr.Group):
            target.create_group(path, attributes=dict(node.attrs))
            continue
        meta = node.metadata
        array = target.create_array(
            path,
            shape=node.shape,
            chunks=node.chunks,
            dtype=node.dtype,
            fill_value=meta.fill_value,
            compressors=None,
            attributes=dict(node.attrs),
            dimension_names=meta.dimension_names,
        )
        array[...] = node[...]
        count += 1
    zarr.consolidate_metadata(folder)
    for path, node in zarr.open_group(folder, mode="r", use_consolidated=False).members(max_depth=None):
        if isinstance(node, zarr.Group):
            zarr.consolidate_metadata(folder, path=path)
    return {"arrays": count}


def load(place: str) -> dict[str, float]:
    """Seconds that it takes to open and load, and a sum of the draws, by which both places are known to hold the same."""
    begun = time.perf_counter()
    tree = xr.open_datatree(place, engine="zarr")
    tree.load()
    took = time.perf_counter() - begun
    total = sum(float(var.sum()) for name, var in tree["posterior"].data_vars.items() if var.dtype.kind == "f")
    tree.close()
    return {"seconds": took, "sum": total}


for line in sys.stdin:
    asked = json.loads(line)
    answer = copy(asked["copy"], asked["to"]) if "copy" in asked else load(asked["load"])
    print(json.dumps(answer), flush=True)
