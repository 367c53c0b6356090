/**
 * The few things that writing a checkpoint does to a disk, as a port. Behind it is the file system; a test puts a disk
 * there that fills up or stops at any given operation, and then looks at what a crash would have left.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A file being written from its begin. */
export interface WritableFile {
  write(bytes: Uint8Array): Promise<void>;
  /** Returns once the bytes would survive a loss of power. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** Creates a folder; its parents are there. Fails with `EEXIST` if it exists. */
  makeFolder(path: string): Promise<void>;
  /** Creates a folder and its parents, unless it is there. */
  ensureFolder(path: string): Promise<void>;
  /** Creates a file for writing; fails with `EEXIST` if it exists. */
  create(path: string): Promise<WritableFile>;
  /** Gives a file or folder another name; a folder never replaces one that holds something. */
  rename(from: string, to: string): Promise<void>;
  /** Returns once the names in a folder would survive a loss of power. */
  syncFolder(path: string): Promise<void>;
  /** Removes a file or a folder with all it holds; nothing to remove is no error. */
  remove(path: string): Promise<void>;
  /** Names in a folder, unsorted. */
  names(path: string): Promise<string[]>;
}

/** The file system. Its errors are Node's own. */
export const nodeDisk: Disk = {
  async makeFolder(path) {
    await mkdir(path);
  },
  async ensureFolder(path) {
    await mkdir(path, { recursive: true });
  },
  async create(path) {
    const handle = await open(path, 'wx');
    return {
      async write(bytes) {
        for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
      },
      sync: () => handle.sync(),
      close: () => handle.close(),
    };
  },
  rename,
  async syncFolder(path) {
    // Windows has no handle on a folder to sync; its renames are journalled.
    if (process.platform === 'win32') return;
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async remove(path) {
    await rm(path, { recursive: true, force: true });
  },
  names: (path) => readdir(path),
};

/** Writes a whole file so that it is there entirely or not at all: a temporary name, sync, rename, sync of the folder. */
export async function writeDurably(disk: Disk, folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(folder, `${name}.partial`);
  // A crash may have left one.
  await disk.remove(temporary);
  const file = await disk.create(temporary);
  try {
    await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, join(folder, name));
  await disk.syncFolder(folder);
}
