/**
 * Who may send a message: patterns of addresses for the `from` of the tables, one name for each kind of actor of a run.
 * Whoever is no actor speaks as the outside of its system; only two of those have a say in a run, and `owner` names them.
 */
import type { AddressPattern } from '../../runtime/index.ts';
import { checkpointerAddress, recoveryAddress, trainerAddress, agentAddress } from '../placement/addresses.ts';
import { launcherName, nodeName, outsideOf } from '../placement/directory.ts';

export const trainer: AddressPattern = trainerAddress;
export const recovery: AddressPattern = recoveryAddress;
export const checkpointer: AddressPattern = checkpointerAddress;
export const agents: AddressPattern = agentAddress('*');
export const stages: AddressPattern = 'run/stage-*';
export const routers: AddressPattern = 'run/router-*';
export const expertGroups: AddressPattern = 'run/experts-*';

/** Code outside actors in whichever process started the run: the launcher, or the only node where there is none. */
export const owner: readonly AddressPattern[] = [outsideOf(launcherName), outsideOf(nodeName(0))];
/** Code outside actors in any node's process. */
export const nodes: AddressPattern = outsideOf(nodeName('*'));
