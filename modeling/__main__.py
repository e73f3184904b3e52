"""Command line: ``python -m modeling tiny --dataset spinemed-450k --output runs/demo/tiny``."""

import argparse


def main(argv: list[str] | None = None) -> None:
    """Parse and run one command."""
    parser = argparse.ArgumentParser(prog="python -m modeling", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tiny = commands.add_parser("tiny", help="write a tiny random Qwen2.5-VL, its tokenizer trained on a data set's texts")
    tiny.add_argument("--dataset", default="spinemed-450k", help="name or folder for load_dataset")
    tiny.add_argument("--output", required=True, help="folder to write")
    tiny.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)

    from modeling.spinegpt import dataset_texts, load_model, load_processor, make_tiny

    try:
        folder = make_tiny(arguments.output, dataset_texts(arguments.dataset), seed=arguments.seed)
    except (ValueError, OSError) as error:
        parser.exit(2, f"error: {error}\n")
    model, tokens = load_model(folder), len(load_processor(folder).tokenizer)
    print(f"{folder}: {model.num_parameters():,} parameters, {tokens:,} tokens, seed {arguments.seed}")


if __name__ == "__main__":
    main()
