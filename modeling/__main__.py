"""Command line: ``python -m modeling tiny | plan | push | serve``."""

import argparse
from pathlib import Path


def main(argv: list[str] | None = None) -> None:
    """Parse and run one command."""
    parser = argparse.ArgumentParser(prog="python -m modeling", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tiny = commands.add_parser("tiny", help="write a tiny random model, its tokenizer trained on a data set's texts")
    tiny.add_argument("--dataset", default="spinemed-450k", help="name or folder for load_dataset")
    tiny.add_argument("--output", required=True, help="folder to write")
    tiny.add_argument("--family", default="qwen2_5_vl", help="model_type of its classes: qwen2_5_vl (default) or qwen3_vl")
    tiny.add_argument("--seed", type=int, default=0)
    tiny.set_defaults(run=_make_tiny)
    push = commands.add_parser(
        "push", help="upload a finished stage to the Hub: model, processor, summary and card, nothing else"
    )
    push.add_argument("--model", required=True, help="output_dir of a recipe")
    push.add_argument("--to", required=True, help="Hub repository, as ORGANISATION/NAME")
    push.add_argument("--tag", action="append", default=[], help="tag of the upload, such as v1.0.0; may be repeated")
    push.add_argument("--public", action="store_true", help="make a new repository public (default: private)")
    push.set_defaults(run=_push)
    serve = commands.add_parser("serve", help="serve a model at an OpenAI-compatible address (vLLM if there is a GPU)")
    serve.add_argument("--model", required=True, help="checkpoint folder or Hub id")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(run=_serve)
    plan = commands.add_parser("plan", help="say what a recipe will do and need on GPUs that are not here")
    plan.add_argument("--stage", type=int, choices=(1, 2, 3), required=True)
    plan.add_argument("--gpus", default="8x80", help="GPUs and GiB of each: 8x80, or 2x8x80 for two machines")
    plan.add_argument("--model", help="Hub id or folder of configuration and processor (default: the recipe's start)")
    plan.add_argument("overrides", nargs="*", help="after --: fields of the recipe, such as --max_length 16384")
    plan.set_defaults(run=_plan)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError) as error:
        parser.exit(2, f"error: {error}\n")


# What a command needs is imported when it runs: the imports take longer than --help.
def _make_tiny(arguments: argparse.Namespace) -> None:
    from modeling.spinegpt import dataset_texts, load_model, load_processor, make_tiny

    folder = make_tiny(arguments.output, dataset_texts(arguments.dataset), family=arguments.family, seed=arguments.seed)
    model, tokens = load_model(folder), len(load_processor(folder).tokenizer)
    print(f"{folder}: {model.num_parameters():,} parameters, {tokens:,} tokens, seed {arguments.seed}")


def _plan(arguments: argparse.Namespace) -> None:
    from modeling.plan import plan_recipe

    recipe = Path(__file__).parents[1] / "recipes" / f"stage{arguments.stage}.yaml"
    print(plan_recipe(recipe, arguments.gpus, arguments.overrides, model=arguments.model))


def _push(arguments: argparse.Namespace) -> None:
    from modeling.checkpoints import push, write_card

    if not (Path(arguments.model) / "README.md").is_file():
        write_card(arguments.model)
    commit = push(arguments.model, arguments.to, tags=arguments.tag, private=not arguments.public)
    print(f"{arguments.model} is at {arguments.to}, commit {commit}")


def _serve(arguments: argparse.Namespace) -> None:
    from modeling.serve import serve

    serve(arguments.model, host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    main()
