// Edits a picture by an instruction, with an adapter where one is named.
//
//     swift run edit-picture FLUX.1-Fill-dev cat.png "make the cat blue" blue.png [adapter.safetensors]
import Foundation
import InContextEdit
import TensorIO
import Training

let arguments = CommandLine.arguments.dropFirst().map { $0 }
guard arguments.count >= 4 else {
    print("usage: edit-picture BASE PICTURE INSTRUCTION OUTPUT [ADAPTER]")
    exit(2)
}

// The frozen models: a folder in diffusers' layout. Weights stay in their files until they are used.
let pipeline = try EditPipeline(path: arguments[0])

// An adapter goes beside the transformer's layers: any layout, a checkpoint, or the folder of a run.
let adapters = try arguments.dropFirst(4).map { try AdapterSource($0, strength: 0.8).load(into: pipeline) }

var options = Editor.Options()
options.panelWidth = 64
options.steps = 4
options.maximumSequenceLength = 64

let picture = try Image(contentsOf: arguments[1])
let result = try Editor(pipeline, adapters: adapters).edit(picture, arguments[2], options: options) { progress in
    if case .sampled(let steps, _) = progress, steps > 0 { print("step \(steps) of \(options.steps)") }
}
try result.image.write(to: arguments[3])
print("edited \(picture.width) x \(picture.height) as \(result.image.width) x \(result.image.height)")
