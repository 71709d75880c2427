import TensorCore
import TestSupport
import Testing

/// The transformer's parity with diffusers on ``ReferenceBackend``: its fused operations are composed of primitive ones.
/// The tolerances are those of the CPU.
@Suite struct FluxReferenceBackendTests {
    private func onReference(_ body: (FluxTransformerTests) throws -> Void) rethrows {
        try Device.withBackend(ReferenceBackend()) { try body(FluxTransformerTests()) }
    }

    @Test(arguments: [1, 30] as [Float]) func output(guidance: Float) throws {
        try onReference { try $0.outputEqualsDiffusers(guidance: guidance) }
    }

    @Test func everyState() throws { try onReference { try $0.everyStateEqualsDiffusers() } }

    @Test func otherProportions() throws { try onReference { try $0.otherProportionsWithoutGuidance() } }

    @Test(arguments: [false, true]) func gradients(isVariant: Bool) throws {
        try onReference { try $0.gradientsEqualPyTorch(isVariant: isVariant) }
    }

    /// Blocks that run again see the backend of the step.
    @Test func checkpointing() throws { try onReference { try $0.checkpointingGivesTheSameBits() } }

    @Test func bfloat16() throws { try onReference { try $0.bfloat16Activations() } }
}
