"""What a reader of DVH numbers must know, in the words that stand beside them everywhere."""

PERCENT_OF_VOLUME = (
    "of the part inside the dose grid; where more than 0.1 % of a structure lies outside, also of "
    "the whole with the rest as 0 Gy"
)
INTERPOLATION = "linear inside the bins of the curve"
SMALL_COVERED = "the covered part is smaller than 0.03 cm³: D0.03cc is undefined"
RELATIVE_NOTE = "the dose is RELATIVE (percent): metrics in Gy are not defined"
