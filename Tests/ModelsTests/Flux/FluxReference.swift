import Autograd
import Foundation
import Models
import TensorCore
import TensorIO
import TestSupport

/// A model together with what diffusers computed with it (`Tests/Reference/make_flux_fixtures.py`).
struct FluxReference {
    let folder: String
    let inputs: SafetensorsFile
    let values: SafetensorsFile

    /// The transformer of the tiny FLUX.1-Fill pipeline.
    static func fill() throws -> FluxReference {
        FluxReference(
            folder: Fixtures.path("tiny-random-fill/transformer"),
            inputs: try SafetensorsFile(path: Fixtures.path("moe.before.top1/inputs.safetensors")),
            values: try SafetensorsFile(path: Fixtures.path("flux.safetensors")))
    }

    /// A model of other proportions, without guidance embedding.
    static func variant() throws -> FluxReference {
        let values = try SafetensorsFile(path: Fixtures.path("flux-variant.safetensors"))
        return FluxReference(folder: Fixtures.path("flux-variant"), inputs: values, values: values)
    }

    /// The names of the model's linear layers in PyTorch.
    func linearNames() throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(values.metadata["linear"]!.utf8))
    }

    /// The noisy latents with their condition, as the flow-matching objective makes them.
    func input(guidance: Float?, dtype: DType = .float32, wantsGradients: Bool = false) throws -> FluxInput {
        let t = try inputs.tensor("in.t")
        let share = t.reshaped(to: [-1, 1, 1])
        let noisy = try inputs.tensor("in.x0") * (Tensor(1) - share) + inputs.tensor("in.noise") * share
        func variable(_ value: Tensor) -> Variable {
            Variable(value.converted(to: dtype), requiresGradient: wantsGradients)
        }
        return FluxInput(
            latents: variable(.concatenated([noisy, try inputs.tensor("in.cond")], axis: -1)),
            text: variable(try inputs.tensor("in.text")), pooled: variable(try inputs.tensor("in.pooled")),
            timestep: t, guidance: guidance.map { Tensor(full: t.shape, $0) },
            imageIDs: try inputs.tensor("in.img_ids"), textIDs: try inputs.tensor("in.txt_ids"))
    }

    /// What the model should give: the velocity from clean latents to noise.
    func target() throws -> Tensor { try inputs.tensor("in.noise") - inputs.tensor("in.x0") }
}

/// The largest absolute difference of two tensors of one shape.
func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
    precondition(a.shape == b.shape, "\(a.shape) against \(b.shape)")
    // Maxima would pass over a NaN: comparing with "not at most" would not.
    return zip(a.floats, b.floats).reduce(0) { largest, pair in
        let difference = abs(pair.0 - pair.1)
        return difference <= largest ? largest : difference.isNaN ? .infinity : difference
    }
}

/// The norm of the difference over the norm of the reference.
func relativeDifference(_ a: Tensor, from reference: Tensor) -> Float {
    precondition(a.shape == reference.shape, "\(a.shape) against \(reference.shape)")
    var (difference, size) = (0.0, 0.0)
    for (x, y) in zip(a.floats, reference.floats) {
        difference += Double(x - y) * Double(x - y)
        size += Double(y) * Double(y)
    }
    return Float((difference / size).squareRoot())
}

/// The norm of the difference, relative to the norm of what is expected; infinite for other shapes.
func relativeDistance(_ found: Tensor, _ expected: Tensor) -> Double {
    guard found.shape == expected.shape else { return .infinity }
    let (a, b) = (found.floats, expected.floats)
    let distance = zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    return (distance / b.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
}
