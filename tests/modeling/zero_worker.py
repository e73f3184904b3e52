"""One CPU rank of a recipe under DeepSpeed: torchrun --nproc_per_node 2 zero_worker.py RECIPE ARGUMENT...

Accelerate takes DeepSpeed to mean GPUs; told that the backend is gloo, the engine itself runs on CPUs. For tests only.
"""

import runpy
import sys

import deepspeed
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType

torch.set_num_threads(1)
PartialState._prepare_backend = lambda self, *args, **kwargs: ("gloo", DistributedType.MULTI_CPU)

if __name__ == "__main__":
    deepspeed.init_distributed("gloo")  # accelerate does so where the backend is a GPU's
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
