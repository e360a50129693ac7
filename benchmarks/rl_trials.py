"""How reinforcement learning's rate is chosen: `python -m benchmarks.rl_trials OUT [DEVICE [UPDATES [PROCESSES]]]`.

On replicates that the study does not use, and by the reward on ID hands alone: PPO from End of the hot SFT, at several
rates. Bases and fine-tuning run on DEVICE, PPO on one core for each run. Writes `OUT/rl_rates.csv`, a row an update.
"""

import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd

from benchmarks.sft_trials import REPLICATES, TRIALS, deal, train_base, use_one_thread
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.pipelines.game.deal_rl_hands import deal_rl_hands
from card24_pipeline.pipelines.rl.train_rl import build_hands
from card24_pipeline.training import ppo
from card24_pipeline.training.language_modelling import train_language_model
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import CardTask, RlSetup

RATES = (2e-5, 5e-5, 1e-4)
KEPT = ["replicate", "rate", "update", "reward", "success", "entropy_nats", "kl_start_nats", "clip_fraction"]
KEPT += ["explained_variance"]


def prepare(out: Path, device: str, replicate: int) -> Path:
    """Train a base and fine-tune it by the first SFT arm; return its End."""
    study, _, _, sft = deal()
    train_base(out, device, TRIALS[0], replicate)
    model, tokenizer = load_checkpoint(out / "bases" / f"{TRIALS[0].name} {replicate}", device)
    tokenized = tokenize_examples(tokenizer, list(sft["prompt"]), list(sft["answer"]), max_tokens=64)
    arm = next(iter(study.sft_arms.values())).choose_settings(study.sft)
    schedule = arm.schedule.model_copy(update={"resume_every_steps": 10_000_000})
    with tempfile.TemporaryDirectory() as folder:
        steps = [schedule.steps]
        train_language_model(
            model.train(), tokenizer, tokenized, schedule, save_steps=steps, seed=replicate, progress=Path(folder)
        )
    end = out / "ends" / str(replicate)
    save_checkpoint(model, tokenizer, end)
    return end


def reinforce(end: Path, replicate: int, rate: float, updates: int) -> pd.DataFrame:
    """Run PPO from End; return its history."""
    study, multisets, _, _ = deal()
    game, settings = study.game, study.rl
    hands = build_hands(deal_rl_hands(multisets, game.rules, game.prompt, game.rl_hands))
    changes = {"updates": updates, "resume_every_updates": updates, "optimiser": {"learning_rate": rate}}
    model, tokenizer = load_checkpoint(end)
    task = CardTask(hands, game.prompt.layout, game.prompt.style, settings.rewards)
    chosen = settings.lay_over(changes)
    setup = RlSetup(model, tokenizer, task, chosen, KlParams(anchor="none", coefficient=0.0), None, replicate)
    with tempfile.TemporaryDirectory() as folder:
        run = ppo.train(setup, Path(folder))
    return pd.DataFrame(run.history).assign(replicate=replicate, rate=rate)


def main() -> None:
    out = Path(sys.argv[1])
    device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
    updates = int(sys.argv[3]) if len(sys.argv) > 3 else 240
    processes = int(sys.argv[4]) if len(sys.argv) > 4 else os.cpu_count() or 1
    out.mkdir(parents=True, exist_ok=True)
    histories = []
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), use_one_thread) as pool:
        ends = {pool.submit(prepare, out, device, replicate): replicate for replicate in REPLICATES}
        runs = []
        for end in as_completed(ends):
            runs += [pool.submit(reinforce, end.result(), ends[end], rate, updates) for rate in RATES]
        for run in as_completed(runs):
            histories.append(run.result())
            table = pd.concat(histories)[KEPT].sort_values(KEPT[:3])
            table.to_csv(out / "rl_rates.csv", index=False, float_format="%.4g")
            last = histories[-1].tail(10)[["replicate", "rate", "reward", "success"]].mean()
            print(last.to_dict(), flush=True)


if __name__ == "__main__":
    main()
