import Glibc
public import Models
public import TensorCore

/// Euler's steps along the flow from noise to data, with the noise levels of diffusers'
/// `FlowMatchEulerDiscreteScheduler`.
public struct FlowMatchEuler: Sendable {
    /// The noise levels, from 1 down to 0; one more than there are steps.
    public let sigmas: [Float]

    /// Spaces `steps` levels from 1 to `1 / steps` evenly, then shifts them towards noise: by `mu`, linear in the
    /// number of tokens, when the configuration asks for dynamic shifting, otherwise by its constant.
    public init(steps: Int, tokenCount: Int, configuration: SchedulerConfiguration) {
        precondition(steps > 0, "sampling in \(steps) steps")
        let even = (0..<steps).map { step in
            steps == 1 ? 1 : 1 + Double(step) * (1 / Double(steps) - 1) / Double(steps - 1)
        }
        var shifted: [Double]
        if configuration.useDynamicShifting {
            let shiftPerToken =
                (configuration.maxShift - configuration.baseShift)
                / Double(configuration.maxImageSeqLen - configuration.baseImageSeqLen)
            let mu = configuration.baseShift + shiftPerToken * Double(tokenCount - configuration.baseImageSeqLen)
            shifted = even.map { exp(mu) / (exp(mu) + (1 / $0 - 1)) }
        } else {
            let shift = configuration.shift
            shifted = even.map { shift * $0 / (1 + (shift - 1) * $0) }
        }
        if let terminal = configuration.shiftTerminal, let last = shifted.last, last < 1 {
            // Stretched so that the last level is the terminal one.
            let factor = (1 - terminal) / (1 - last)
            shifted = shifted.map { 1 - (1 - $0) * factor }
        }
        sigmas = shifted.map { Float($0) } + [0]
    }

    /// The number of steps.
    public var steps: Int { sigmas.count - 1 }

    /// From level `step` to the next: `x + (sigma' - sigma) v`.
    public func advance(_ x: Tensor, velocity: Tensor, step: Int) -> Tensor {
        x + velocity * (sigmas[step + 1] - sigmas[step])
    }
}
