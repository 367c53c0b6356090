/**
 * The refs that one actor has made, so that asking for the same again in every handler costs a look-up.
 */

import type { Address } from './address.ts';
import type { Post } from './post.ts';
import type { AnyProtocol } from './protocol.ts';
import type { Ref } from './ref.ts';
import type { Speaker } from './speaker.ts';

export class RefCache {
  readonly #post: Post;
  readonly #speaker: Speaker;
  readonly #refs = new Map<Address, Ref<AnyProtocol>[]>();

  constructor(post: Post, speaker: Speaker) {
    this.#post = post;
    this.#speaker = speaker;
  }

  ref<P extends AnyProtocol>(protocol: P, address: Address): Ref<P> {
    const known = this.#refs.get(address);
    const found = known?.find((ref): ref is Ref<P> => ref.protocol === protocol);
    if (found !== undefined) return found;
    const made = this.#post.ref(this.#speaker, protocol, address);
    if (known === undefined) this.#refs.set(address, [made]);
    else known.push(made);
    return made;
  }
}
