/** Loaded before the command (`node --import`): has it believe that this Node is an old one. */
Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } });
