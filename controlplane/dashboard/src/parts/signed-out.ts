import { useSyncExternalStore } from 'react';
import { ApiFailure } from '../api/client';

/** Whether the session ended under an open page. The page stays as it is: what was typed there is not lost. */
let ended = false;
const listeners = new Set<() => void>();

function set(next: boolean) {
  ended = next;
  listeners.forEach((listener) => listener());
}

/** No credential, or one that has expired. A wrong password is a 401 of another kind, said where it was typed. */
const CODES = ['AUTH_001', 'AUTH_003'];

export const isSignedOut = (error: unknown) => error instanceof ApiFailure && error.status === 401 && CODES.includes(error.code);

export const sessionEnded = () => set(true);
export const sessionBegan = () => set(false);

export const useSessionEnded = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => ended,
  );
