import { t } from '../../i18n';
import { ApiFailure } from '../../api/client';
import { saveFile } from '../../parts/save-file';

type Envelope = {
  error?: { code?: string; message?: string; correlation_id?: string; details?: { field: string; message: string }[] };
};

/** Fetches a file and hands it to the browser to keep, under the name that the control plane gave it. */
export async function download(path: string, fallback: string, headers?: Record<string, string>): Promise<void> {
  const response = await fetch(path, { credentials: 'same-origin', headers });
  if (!response.ok) throw failure(response.status, await response.text(), response.headers.get('x-request-id'));
  const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? fallback;
  saveFile(name, await response.blob());
}

/** Sends a form, which `fetch` cannot say the progress of. Answers with the body and how far the change has got. */
export function upload<T>(path: string, form: FormData, onProgress: (share: number) => void): Promise<{ data: T; applied: string | null }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 1);
    request.onerror = () => reject(new ApiFailure(0, 'NETWORK', t('The control plane cannot be reached.'), undefined, []));
    request.onload = () => {
      const { status, responseText } = request;
      if (status >= 200 && status < 300) {
        resolve({ data: JSON.parse(responseText) as T, applied: request.getResponseHeader('x-config-applied') });
      } else {
        reject(failure(status, responseText, request.getResponseHeader('x-request-id')));
      }
    };
    request.send(form);
  });
}

function failure(status: number, text: string, requestId: string | null): ApiFailure {
  const error = read(text)?.error;
  return new ApiFailure(
    status,
    error?.code ?? `HTTP_${status}`,
    error?.message ?? t('The control plane answered {status}.', { status }),
    error?.correlation_id ?? requestId ?? undefined,
    error?.details ?? [],
  );
}

/** What stands in front of the control plane may answer in words of its own. */
function read(text: string): Envelope | undefined {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    return undefined;
  }
}
