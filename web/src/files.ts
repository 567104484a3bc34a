// Files of the page's own folder. The large ones are stored compressed, so that every server sends them compressed.

// Contents of a file; onProgress(bytes) is called with the bytes that have come so far.
export async function fetchBytes(name, onProgress = () => {}) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name} cannot be loaded: ${response.status}`);
  let count = 0;
  const counted = new TransformStream({
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

export const fetchText = async (name) => new TextDecoder().decode(await fetchBytes(name));

const bytesOf = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());
