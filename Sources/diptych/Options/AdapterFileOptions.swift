import Adapters
import ArgumentParser
import TensorCore

/// The flags for an adapter file that is written: where, and the type of its numbers.
struct AdapterFileOptions: ParsableArguments {
    @OptionGroup var file: SafetensorsOutput

    @Option(name: .long, help: "Type of the numbers: float32, bfloat16 or float16.")
    var dtype = NumberType.float32

    var output: String { file.output }

    /// The types of numbers that adapter files have.
    enum NumberType: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16, float16
        var dtype: DType { DType(rawValue: rawValue)! }
    }
}

/// The flag for a safetensors file that is written.
struct SafetensorsOutput: ParsableArguments {
    @Option(
        name: .shortAndLong, help: "The file to write (.safetensors).", completion: .file(extensions: ["safetensors"]))
    var output: String

    func validate() throws {
        guard output.hasSuffix(".safetensors") else {
            throw ValidationError("--output: expected a name that ends in .safetensors, found '\(output)'")
        }
    }
}

/// The formats of adapter files by the words of the command line.
enum AdapterLayout: String, ExpressibleByArgument, CaseIterable {
    case diffusers, peft, kohya, comfyui, lycoris, icedit, diptych
    var format: AdapterFormat { self == .diffusers ? .peft : AdapterFormat(rawValue: rawValue)! }
}

/// Those of them that hold plain LoRAs alone.
enum PlainLayout: String, ExpressibleByArgument, CaseIterable {
    case diffusers, peft, kohya, comfyui, lycoris
    var format: AdapterFormat { AdapterLayout(rawValue: rawValue)!.format }
}
