"""From observations to a data set: currencies, labels, outliers, label conflicts, splits and statistics."""
