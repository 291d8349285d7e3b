'use strict';

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + ((sorted[low + 1] ?? sorted[low]) - sorted[low]) * (at - low);
}

const median = (values) => quantile(values, 0.5);

/** Median and the middle half of the values: what other work on the machine does to a round hardly moves them. */
function summary(values) {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75), rounds: values.length };
}

module.exports = { median, quantile, summary };
