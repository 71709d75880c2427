// Trains a LoRA-MoE on a folder of edit pairs and exports it.
//
//     swift run train-adapter FLUX.1-Fill-dev Datasets/mine Runs/mine adapter.safetensors
import Adapters
import Foundation
import TensorIO
import Training

let arguments = CommandLine.arguments.dropFirst().map { $0 }
guard arguments.count == 4 else {
    print("usage: train-adapter BASE PAIRS RUN OUTPUT")
    exit(2)
}

// The same keys as in a file of `diptych train`; `diptych config` lists them all.
let configuration = try RunConfiguration.parse(
    """
    base: {path: "\(arguments[0])", precision: float32}
    data: {path: "\(arguments[1])", panel_width: 32, panel_height: 32, max_sequence_length: 32}
    adapter:
      lora: {rank: 4, alpha: 4}
      moe: {rank: 4, alpha: 4, experts: 4, top_k: 1}
    optimizer: {name: adamw, learning_rate: 1e-3}
    training: {steps: 6, batch_size: 2, accumulate: 1, seed: 42}
    output: {folder: "\(arguments[2])", checkpoint_every: 3}
    """)

// Everything that is wrong with the files is said here, before the first step.
let session = try TrainingSession(configuration)
let adapters = session.trainer.adapters
print("\(adapters.mixtures.count) mixtures, \(adapters.parameterCount) parameters")
_ = try session.run { progress in
    print("step \(progress.done) of \(progress.total)")
}

// Mixtures need a layout that has them: this toolkit's own, or ICEdit's.
let export = try AdapterExport(arguments[2], as: .diptych)
try export.write(to: arguments[3])
print("\(try SafetensorsFile(path: arguments[3]).names.count) tensors, \(export.origin)")
