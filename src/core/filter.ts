/**
 * What one stream wants of the events of its executions. All given parts are ANDed; null filters nothing.
 *
 * `stage` and `path` are the request's texts without surrounding slashes: whole segments unless the last character is `*`, which makes
 * the rest a character prefix. `extension` has its leading dot and is ASCII lower-cased.
 */
export interface Filter {
  readonly stage: string | null;
  readonly path: string | null;
  readonly extension: string | null;
}
