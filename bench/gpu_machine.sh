#!/usr/bin/env bash
# The benchmarks on a machine that has a GPU, this repository's files, and neither Node nor npm nor a network.
#
#   bench/gpu_machine.sh pack          here, after npm install: makes the folder .gpu, to be carried along
#   bench/gpu_machine.sh run [ARGS]    there: results in $OUT, or in gpu-results; ARGS go to `bench -- kernels`
#
# It takes 8 minutes at most. PYTHON names a python3 that has torch; Linux on x86-64 only.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
pack=$root/.gpu

# Pure JavaScript that the benchmarks and `troupe launch` load, with what these need; test/structure compares.
packages=(@huggingface/jinja @nats-io/jetstream @nats-io/kv @nats-io/nats-core @nats-io/nkeys @nats-io/nuid @opentelemetry/api commander long
  msgpackr nats piscina protobufjs tweetnacl yaml zod)

make_pack() {
  local modules=$root/node_modules
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/bin" "$work/node_modules/webgpu/dist"
  cp "$(realpath "$modules/node/bin/node")" "$work/bin/node"
  cp "$modules"/webgpu/{index.js,package.json} "$work/node_modules/webgpu/"
  cp -r "$modules/webgpu/dist/linux-x64" "$work/node_modules/webgpu/dist/"
  strip "$work/bin/node" "$work/node_modules/webgpu/dist/linux-x64/dawn.node"
  for package in "${packages[@]}"; do
    mkdir -p "$work/node_modules/$package"
    cp -rL "$modules/$package/." "$work/node_modules/$package/"
  done
  find "$work/node_modules" \( -name '*.map' -o -name '*.md' -o -name '*.[cm]ts' -o -name '*.ts' \) -delete
  # The processor's library is 60 MB, and nothing here computes with it; its names are imported all the same.
  mkdir "$work/node_modules/onnxruntime-node"
  echo '{ "name": "onnxruntime-node", "version": "0.0.0", "type": "module", "exports": "./index.js" }' \
    >"$work/node_modules/onnxruntime-node/package.json"
  cat >"$work/node_modules/onnxruntime-node/index.js" <<'JS'
class Absent {
  static create() {
    throw new Error('onnxruntime was left out of this pack: nothing computes on the processor here');
  }
}
export { Absent as InferenceSession, Absent as Tensor };
JS
  rm -rf "$pack"
  mkdir "$pack"
  tar -C "$work" -cf - bin node_modules | xz -T0 -9 >"$pack/modules.tar.xz"
  # What a bare machine may lack: Vulkan's loader (apt-get download libvulkan1).
  for deb in "$root"/.gl/*.deb; do [ ! -e "$deb" ] || cp "$deb" "$pack/"; done
  du -h "$pack"/*
}

unpack() {
  if command -v xz >/dev/null; then xz -dc "$pack/modules.tar.xz"; else
    "${PYTHON:-python3}" -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' \
      "$pack/modules.tar.xz"
  fi | tar -C "$1" -xf -
  mkdir "$1/test"
  cp -r "$root"/{src,bench,configs,package.json} "$1/"
  cp -r "$root/test/kernels" "$1/test/"
}

# Vulkan's loader, and NVIDIA's driver where it lies in a place of its own.
find_vulkan() {
  local libraries
  libraries=$(PATH=$PATH:/sbin ldconfig -p 2>/dev/null || true)
  if [[ $libraries != *libvulkan.so.1* ]] && compgen -G "$pack/*.deb" >/dev/null; then
    for deb in "$pack"/*.deb; do dpkg -x "$deb" "$1/loader"; done
    export LD_LIBRARY_PATH=$1/loader/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  fi
  local driver=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
  if [ -z "${VK_DRIVER_FILES:-}" ] && [ -e "$driver" ] &&
    ! compgen -G '/usr/share/vulkan/icd.d/*nvidia*' >/dev/null && ! compgen -G '/etc/vulkan/icd.d/*nvidia*' >/dev/null; then
    export VK_DRIVER_FILES=$driver
  fi
}

# part NAME SECONDS COMMAND...: what it says goes to the screen and to NAME.txt.
failed=()
part() {
  local name=$1 seconds=$2 status=0
  shift 2
  echo "== $name"
  timeout -k 5 "$seconds" "$@" 2>&1 | grep --line-buffered -v 'artificially reduced' | tee "$out/$name.txt" ||
    status=${PIPESTATUS[0]}
  [ "$status" = 0 ] && return
  failed+=("$name ($status)")
  echo "== $name ended with $status" | tee -a "$out/$name.txt"
}

run_all() {
  out=${OUT:-$PWD/gpu-results}
  mkdir -p "$out"
  out=$(cd "$out" && pwd)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  unpack "$work"
  find_vulkan "$work"
  export PATH=$work/bin:$PATH GALLIVM_PERF=${GALLIVM_PERF:-nopt}
  cd "$work"
  part machine 15 bash -c 'date; uname -a; node --version; nvidia-smi 2>&1 | head -15; echo "$VK_DRIVER_FILES"' || true
  local device kind
  read -r device kind < <(timeout 20 node bench/kernels/print_adapter.ts 2>"$work/adapter.txt") ||
    { cat "$work/adapter.txt"; exit 1; }
  echo "$device, $kind: $(tail -1 "$work/adapter.txt")" | tee "$out/adapter.txt"
  # A driver that computes on the processor takes minutes to compile the shaders of more.
  local small=() short=() last=50
  [ "$kind" = gpu ] || last=150 short=(--no-training)
  [ "$kind" = gpu ] || small=(--set training.steps=2 --set model.hidden_size=64 --set model.num_attention_heads=2
    --set training.sequence_length=32 --set training.global_batch_size=4)
  # The limits of all parts together are 8 minutes on a GPU; elsewhere nothing is trained before the last.
  local dtype
  for dtype in f32:200 f16:125; do
    part "kernels-${dtype%:*}" "${dtype#*:}" node bench/main.ts kernels --device "$device" --dtype "${dtype%:*}" \
      --json "$out/kernels-${dtype%:*}.json" "${short[@]}" "$@"
  done
  part ops 70 node bench/main.ts ops --device "$device"
  part quickstart "$last" node src/cli/main.ts launch configs/quickstart.yaml --run-dir "$work/run" --verbose \
    --set cluster.device="$device" --set cluster.workers_per_node=1 --set training.steps=20 \
    --set optimizer.warmup_steps=0 --set training.eval_interval=0 --set checkpoint.interval=0 \
    --set 'data.blend=[{ name: code, glob: "../src/**/*.ts" }]' "${small[@]}"
  [ ! -e "$work/run/metrics.jsonl" ] || cp "$work/run/metrics.jsonl" "$out/quickstart.jsonl"
  [ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
}

case ${1:-} in
  pack) make_pack ;;
  run) shift && run_all "$@" ;;
  *) sed -n '2,7p' "$0" >&2 && exit 2 ;;
esac
