"""The section on the outputs of experts."""

from functools import partial

from home_tf.diagnosis.report.expert_plots import (
    draw_outputs,
    draw_traits,
    value_limits,
)
from home_tf.diagnosis.report.runs import Runs, named, titled
from home_tf.report.contents import Block, Plot, Section, Table
from home_tf.report.numbers import (
    UNDEFINED,
    decimal,
    percent,
    significant,
)

_QUANTILES = ("1", "5", "25", "50", "75", "95", "99")


def expert_section(runs: Runs) -> Section:
    """Makes the section on the outputs of the experts."""
    limits = value_limits([one["experts"] for one in runs.values()])
    outputs = [
        Plot(
            named(runs, run, "expert-outputs"),
            titled(runs, run, "distribution and zeros of each expert's outputs"),
            partial(
                draw_outputs,
                one["experts"],
                limits,
                titled(runs, run, "outputs of each expert"),
                3.6,
            ),
            [_output_table(runs, run)],
        )
        for run, one in runs.items()
    ]
    traits = [
        Plot(
            named(runs, run, "expert-traits"),
            titled(runs, run, "effective rank, gradient norm and similarity"),
            partial(
                draw_traits, one["experts"], titled(runs, run, "what experts do"), 1.5
            ),
            [_trait_table(runs, run)],
        )
        for run, one in runs.items()
    ]
    return Section(
        "experts",
        "Experts",
        "The outputs of every expert over all rows.",
        [
            Block(
                "Outputs",
                "Dot: the median. Thick bar: half of the outputs; thin bar: 90% of "
                "them; line: 98%. A gate can only weigh experts of similar scale. On "
                "the right: the share of outputs that are zero, and of dimensions "
                "that are dead.",
                outputs,
            ),
            Block(
                "Rank, gradient and similarity",
                "How many directions an expert's outputs use, how large its gradients "
                "are, and how similar it is to its most similar sibling. Beyond the "
                "dashed line, two experts count as twins.",
                traits,
            ),
        ],
    )


def _output_table(runs: Runs, run: str) -> Table:
    rows = [
        [
            name,
            *(significant(one["quantiles"][share]) for share in _QUANTILES),
            percent(one["zeros"]),
            percent(one["near_zeros"]),
            percent(one["dead_dimensions"]),
        ]
        for name, one in runs[run]["experts"].items()
    ]
    quantiles = [f"{share}%" for share in _QUANTILES]
    return Table(
        titled(runs, run, "quantiles and zeros of the outputs"),
        ["expert", *quantiles, "zeros", "near zeros", "dead dimensions"],
        rows,
    )


def _trait_table(runs: Runs, run: str) -> Table:
    rows = [
        [
            name,
            one["owner"] or UNDEFINED,
            significant(one["mean"]),
            significant(one["variance"] ** 0.5),
            decimal(one["effective_rank"], 1),
            significant(one["gradient_norm"]),
            decimal(one["similarity"], 2),
            one["twin"] or UNDEFINED,
        ]
        for name, one in runs[run]["experts"].items()
    ]
    return Table(
        titled(runs, run, "experts"),
        [
            "expert",
            "owner",
            "mean",
            "standard deviation",
            "effective rank",
            "gradient norm",
            "similarity",
            "most similar sibling",
        ],
        rows,
        words=[1, 7],
    )
