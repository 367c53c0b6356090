// Which Node Troupe needs. Written in what every Node since 14 reads, as all of this folder is.

/** Whether this Node can run it. */
export const isNewEnough = Number(process.versions.node.split('.')[0]) >= 24;

export const tooOld = `troupe needs Node 24 or newer; this is Node ${process.versions.node}. Install Node 24, try again.`;
