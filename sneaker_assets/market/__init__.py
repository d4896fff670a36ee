"""From what was seen to a data set: labels, twins, outliers, splits and statistics. Tables in, tables out."""
