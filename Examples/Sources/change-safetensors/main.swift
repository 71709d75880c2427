// Reads a safetensors file, stores its wide numbers as bfloat16 and writes the result.
//
//     swift run change-safetensors model.safetensors smaller.safetensors
import Foundation
import TensorCore
import TensorIO

let arguments = CommandLine.arguments.dropFirst().map { $0 }
guard arguments.count == 2 else {
    print("usage: change-safetensors INPUT OUTPUT")
    exit(2)
}

// Tensors are views of the mapped file: nothing is read before it is used.
let file = try SafetensorsFile(path: arguments[0])
let tensors = try file.names.map { name in
    let tensor = try file.tensor(name)
    return (name: name, tensor: tensor.dtype == .float32 ? tensor.converted(to: .bfloat16) : tensor)
}

// The output replaces what was there only when it is whole.
var metadata = file.metadata
metadata["changed_by"] = "change-safetensors"
try SafetensorsFile.write(tensors, metadata: metadata, to: arguments[1])

let changed = try SafetensorsFile(path: arguments[1])
let numbers = changed.names.reduce(0) { $0 + (changed.info($1)?.shape.count ?? 0) }
print("\(changed.names.count) tensors, \(numbers) numbers in \(2 * numbers) bytes")
