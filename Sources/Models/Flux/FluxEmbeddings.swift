import Autograd
import Foundation
import NeuralNet
import TensorCore

/// Two linear layers with SiLU between them: diffusers' `TimestepEmbedding` and `PixArtAlphaTextProjection`.
final class EmbeddingMLP: Module {
    private let linear1: Linear
    private let linear2: Linear

    init(_ loader: WeightLoader, _ inputDimensions: Int, _ dimensions: Int) {
        linear1 = Linear(loader.scoped("linear_1"), inputDimensions, dimensions)
        linear2 = Linear(loader.scoped("linear_2"), dimensions, dimensions)
    }

    var children: [(name: String, module: any Module)] { [("linear_1", linear1), ("linear_2", linear2)] }

    func callAsFunction(_ x: Variable) -> Variable { linear2(linear1(x).applying(.silu)) }
}

/// What all blocks are modulated by: the sum of the embedded timestep, guidance (where the model has it) and pooled text.
final class ConditioningEmbedding: Module {
    /// Width of the sinusoidal embedding.
    static let frequencyDimensions = 256

    private let timestepEmbedder: EmbeddingMLP
    private let guidanceEmbedder: EmbeddingMLP?
    private let textEmbedder: EmbeddingMLP

    init(_ configuration: FluxConfiguration, _ loader: WeightLoader) {
        let dimensions = configuration.innerDimension
        timestepEmbedder = EmbeddingMLP(loader.scoped("timestep_embedder"), Self.frequencyDimensions, dimensions)
        guidanceEmbedder =
            configuration.guidanceEmbeds
            ? EmbeddingMLP(loader.scoped("guidance_embedder"), Self.frequencyDimensions, dimensions) : nil
        textEmbedder = EmbeddingMLP(loader.scoped("text_embedder"), configuration.pooledProjectionDim, dimensions)
    }

    var children: [(name: String, module: any Module)] {
        [("timestep_embedder", timestepEmbedder)] + (guidanceEmbedder.map { [("guidance_embedder", $0)] } ?? [])
            + [("text_embedder", textEmbedder)]
    }

    /// `timestep` and `guidance` `[B]`, `pooled` `[B, P]`: `[B, innerDimension]` in the type of `pooled`.
    func callAsFunction(timestep: Tensor, guidance: Tensor?, pooled: Variable) -> Variable {
        func embed(_ numbers: Tensor, _ embedder: EmbeddingMLP) -> Variable {
            let waves = sinusoidalEmbedding(of: numbers, dimensions: Self.frequencyDimensions)
            return embedder(Variable(waves.converted(to: pooled.dtype)))
        }
        var sum = embed(timestep, timestepEmbedder)
        if let guidanceEmbedder {
            guard let guidance else { preconditionFailure("this FLUX model needs a guidance scale") }
            sum = sum + embed(guidance, guidanceEmbedder)
        } else {
            precondition(guidance == nil, "guidance scale for a FLUX model without guidance embedding")
        }
        return sum + textEmbedder(pooled)
    }
}

/// `cos(1000 n f_i), sin(1000 n f_i)` with `f_i = 10000^(-2i / dimensions)` for each of `numbers` `[B]`:
/// `[B, dimensions]`, cosines first, `float32`.
///
/// Computed in `float32` like the upstream models, which were trained with its rounding of the angles.
func sinusoidalEmbedding(of numbers: Tensor, dimensions: Int) -> Tensor {
    let half = dimensions / 2
    let frequencies = (0..<half).map { exp(Float($0) * -Float(log(10000.0)) / Float(half)) }
    let angles = numbers.floats.map { number in frequencies.map { number * 1000 * $0 } }
    let rows = angles.map { $0.map { cos($0) } + $0.map { sin($0) } }
    return Tensor(rows.flatMap { $0 }, [numbers.count, dimensions])
}

/// The angles by which queries and keys turn with the place of their token (rotary position embedding, Su et al. 2021),
/// one share of a head's channels for each coordinate.
struct RotaryTable {
    /// `[S, D/2]`, `float32`.
    let cosine: Tensor
    /// `[S, D/2]`, `float32`.
    let sine: Tensor

    /// `ids` `[S, axes]`: the coordinates of each token; `axes`: the channels that turn with each coordinate.
    init(ids: Tensor, axes: [Int], theta: Double = 10000) {
        precondition(ids.rank == 2 && ids.shape[1] == axes.count, "ids of shape \(ids.shape) for \(axes.count) axes")
        let frequencies = axes.map { extent in
            (0..<extent / 2).map { 1 / pow(theta, Double(2 * $0) / Double(extent)) }
        }
        let coordinates = ids.floats
        let half = axes.reduce(0, +) / 2
        var (cosines, sines) = ([Float](), [Float]())
        cosines.reserveCapacity(ids.shape[0] * half)
        sines.reserveCapacity(ids.shape[0] * half)
        for (place, coordinate) in coordinates.enumerated() {
            for frequency in frequencies[place % axes.count] {
                let angle = Double(coordinate) * frequency
                cosines.append(Float(cos(angle)))
                sines.append(Float(sin(angle)))
            }
        }
        cosine = Tensor(cosines, [ids.shape[0], half])
        sine = Tensor(sines, [ids.shape[0], half])
    }
}
