// Files of the page's own folder. The large ones are stored compressed, so that every server sends them compressed.

// Called with the bytes that have come so far.
export type OnProgress = (bytes: number) => void;

// Contents of a file.
export async function fetchBytes(name: string, onProgress: OnProgress = () => {}): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(name);
  if (!response.ok || !response.body) throw new Error(`${name} cannot be loaded: ${response.status}`);
  let count = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      count += chunk.length;
      onProgress(count);
      controller.enqueue(chunk);
    },
  });
  const bytes = await bytesOf(response.body.pipeThrough(counted));
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b; // some servers decompress it
  return zipped ? bytesOf(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))) : bytes;
}

export const fetchText = async (name: string) => new TextDecoder().decode(await fetchBytes(name));

const bytesOf = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
  new Uint8Array(await new Response(stream).arrayBuffer());
