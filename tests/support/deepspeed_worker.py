"""One CPU rank of a recipe under DeepSpeed: torchrun --nproc_per_node 2 deepspeed_worker.py RECIPE ARGUMENT...

Accelerate starts DeepSpeed only beside an accelerator's backend; told that gloo is one, all else is the real engine, but for
DeepSpeed's own reduction between CPU ranks: it compiles for a minute at its first use, and gloo does the same. For tests only.
The recipe's ``use_cpu`` must be false: with it accelerate leaves DeepSpeed out.
"""

import os
import runpy
import sys

import deepspeed.ops
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType

if __name__ == "__main__":
    torch.set_num_threads(1)
    PartialState._prepare_backend = lambda self, *args, **kwargs: ("gloo", DistributedType.MULTI_CPU)
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
    # gloo's threads now and then abort a process that takes its interpreter down ("terminate called without an active
    # exception") after all is written; only a recipe that returned comes this far.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
