import TensorCore
import TestSupport
import Testing

/// The models' parity with diffusers and transformers on ``ReferenceBackend``: their fused operations are composed of
/// primitive ones. The tolerances are those of the CPU.
@Suite struct ReferenceBackendTests {
    private func onReference(_ body: () throws -> Void) rethrows {
        try Device.withBackend(ReferenceBackend(), body)
    }

    @Test(arguments: [1, 30] as [Float]) func transformerOutput(guidance: Float) throws {
        try onReference { try FluxTransformerTests().outputEqualsDiffusers(guidance: guidance) }
    }

    @Test func everyStateOfTheTransformer() throws {
        try onReference { try FluxTransformerTests().everyStateEqualsDiffusers() }
    }

    @Test func transformerOfOtherProportions() throws {
        try onReference { try FluxTransformerTests().otherProportionsWithoutGuidance() }
    }

    @Test(arguments: [false, true]) func transformerGradients(isVariant: Bool) throws {
        try onReference { try FluxTransformerTests().gradientsEqualPyTorch(isVariant: isVariant) }
    }

    /// Blocks that run again see the backend of the step.
    @Test func transformerCheckpoints() throws {
        try onReference { try FluxTransformerTests().checkpointingGivesTheSameBits() }
    }

    @Test func transformerInBFloat16() throws { try onReference { try FluxTransformerTests().bfloat16Activations() } }

    /// Convolutions, group norms and up-sampling, forwards and backwards.
    @Test func autoencoder() throws { try onReference { try AutoencoderKLTests().otherProportionsAndOlderKeysToo() } }

    @Test func textEncoders() throws {
        try onReference {
            try CLIPTextEncoderTests().hiddenStatesAreThoseOfTransformers()
            try T5EncoderTests().otherProportionsAndFloat16FilesToo()
        }
    }
}
