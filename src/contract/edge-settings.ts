/** What the HTTP edge of every shard is told at start. Plain data: it crosses threads. */
export interface EdgeSettings {
  /** Hosts, beside loopback names, whose `Host` header is taken (without port). `*` takes all. */
  readonly allowedHosts: readonly string[];
  /** Origins, beside loopback ones, that may read. */
  readonly corsOrigins: readonly string[];
  /** Origins that may also write (POST, PUT). */
  readonly corsWriteOrigins: readonly string[];
  /** Addresses or CIDR blocks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly version: string;
}
