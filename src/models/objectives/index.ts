/** A topology names its objective; this file knows the objectives by that name. */
import { attributes } from './attributes.ts';
import { nextToken } from './next_token.ts';
import type { Objective } from './objective.ts';

export type ObjectiveKind = 'next_token' | 'chat' | 'attributes';

/** On chats the next token is what is learnt too: what is no answer has no target. */
const objectives: Readonly<Record<ObjectiveKind, Objective>> = { next_token: nextToken, chat: nextToken, attributes };

export const objectiveOf = ({ kind }: { readonly kind: ObjectiveKind }): Objective => objectives[kind];
