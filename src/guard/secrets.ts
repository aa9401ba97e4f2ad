/** The secrets that a guard's runs met, which no later answer may hold. */
import { Redactor } from "../io/redact.ts";

const MOST_SECRETS = 64;

/** Those of all runs so far; the ones that were not met for longest are forgotten. */
export class KnownSecrets {
  private readonly secrets = new Set<string>();
  /** Knows exactly these; undefined after a change. */
  private known: Redactor | undefined;

  /** For one run: masks the secrets of all earlier ones, whose spellings are made once. */
  redactor(): Redactor {
    if (this.known === undefined) {
      this.known = new Redactor();
      for (const secret of this.secrets) this.known.learn(secret);
    }
    return new Redactor(this.known);
  }

  /** Learns for one run, and for every later one. */
  remembering(redactor: Redactor): Pick<Redactor, "learn"> {
    return {
      learn: (secret) => {
        redactor.learn(secret);
        if (!this.secrets.delete(secret)) this.known = undefined;
        this.secrets.add(secret);
        const [oldest] = this.secrets;
        if (this.secrets.size > MOST_SECRETS && oldest !== undefined) this.secrets.delete(oldest);
      },
    };
  }
}
