// Two synthesised tones: no file to load, and silent until switched on.

let sound;

/** Browsers block sound until the user has interacted with the page; the first touch after a reload enables it. */
export function readySound() {
  sound ??= new AudioContext();
  if (sound.state === "suspended") sound.resume();
}

export function chime(times) {
  readySound();
  for (let i = 0; i < times * 2; i += 1) tone(i % 2 ? 660 : 880, sound.currentTime + i * 0.22);
}

function tone(pitch, at) {
  const [source, volume] = [sound.createOscillator(), sound.createGain()];
  source.frequency.value = pitch;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.2, at + 0.02);
  volume.gain.linearRampToValueAtTime(0, at + 0.2);
  source.connect(volume).connect(sound.destination);
  source.start(at);
  source.stop(at + 0.21);
}
