public import Foundation
import TensorCore
import TensorIO

/// A tiny pipeline of FLUX.1 Kontext's class: the parts of `tiny-random-fill`, whose transformer keeps the inputs of the latents
/// alone, as `Tests/Reference/make_kontext_fixture.py` does.
public enum KontextBase {
    /// Writes the pipeline's folder into `parent` and gives its path.
    public static func write(into parent: URL) throws -> String {
        let files = FileManager.default
        let folder = parent.appending(path: "tiny-random-kontext")
        try files.copyItem(at: Fixtures.folder.appending(path: "tiny-random-fill"), to: folder)
        try edit(folder.appending(path: "model_index.json")) {
            $0.replacing("FluxFillPipeline", with: "FluxKontextPipeline")
        }
        let transformer = folder.appending(path: "transformer")
        try edit(transformer.appending(path: "config.json")) {
            $0.replacing("\"in_channels\": 384", with: "\"in_channels\": 64")
        }
        let path = transformer.appending(path: "diffusion_pytorch_model.safetensors").path
        let weights = try SafetensorsFile(
            path: Fixtures.path("tiny-random-fill/transformer/diffusion_pytorch_model.safetensors"))
        let tensors = try weights.names.map { name -> (name: String, tensor: Tensor) in
            let tensor = try weights.tensor(name)
            return (name, name == "x_embedder.weight" ? tensor.sliced(axis: 1, 0..<64).contiguous() : tensor)
        }
        try SafetensorsFile.write(tensors, metadata: weights.metadata, to: path)
        return folder.path
    }

    private static func edit(_ file: URL, _ change: (String) -> String) throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        let changed = change(text)
        precondition(changed != text, "\(file.lastPathComponent) has not what is to be replaced")
        try changed.write(to: file, atomically: true, encoding: .utf8)
    }
}
