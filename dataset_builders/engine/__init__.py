"""Run steps over folders of records, in processes that may die, on one machine or many.

steps          Step, run_steps, Manifest: what to run, and when to run it again
code           which files and libraries a step's output depends on
shards         records and Rejects on disk
executors      processes of this machine, Slurm, Ray (the only module that knows datatrove); ray_workers
shard_runner   one shard, in a process that may die
store          images by content
"""
