/** A ratio that must not get worse than it was: bench/baseline.json holds a list of them. Never an absolute time: machines differ, ratios in one run less. */
export interface Guarded {
  /** Where it is measured: bench/results/<bench>.json. */
  readonly bench: string;
  readonly figure: string;
  readonly better: 'higher' | 'lower';
  readonly baseline: number;
  /** A share of the baseline: 0.2 lets it get a fifth worse. As wide as the ratio was seen to move from run to run, and no wider. */
  readonly band: number;
}

export type Verdict = 'worse' | 'holds' | 'better';

/** Only `worse` fails; `better` says that the baseline can be renewed. The edge of the band still holds. */
export function judge({ better, baseline, band }: Guarded, measured: number): Verdict {
  const change = (better === 'higher' ? measured - baseline : baseline - measured) / baseline;
  if (!(change >= -band)) return 'worse';
  return change > band ? 'better' : 'holds';
}
